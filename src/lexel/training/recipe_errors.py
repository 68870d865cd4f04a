"""What is wrong with a recipe, in words: the path of the field at fault, and the nearest name that there is."""

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from lexel.architectures.config import IMAGE_TOWERS, TEXT_TOWERS
from lexel.errors import did_you_mean

# How pydantic names the members of the unions of towers in the path of an error.
TAGS: dict[str | int, type[BaseModel]] = {
    tower.model_fields["kind"].default: tower for tower in (*IMAGE_TOWERS, *TEXT_TOWERS)
}

MAX_SHOWN_CHARACTERS = 80  # of a wrong value


def explain(error: ValidationError, root: type[BaseModel], section: tuple[str, ...] = ()) -> str:
    """The first thing wrong in settings that should be a `root`, in one line; `section` if only that was looked at."""
    first = error.errors()[0]
    place = (*section, *first["loc"])
    path = [part for part in place if part not in TAGS]
    where = ".".join(map(str, path))
    if first["type"] == "extra_forbidden":
        known = _fields(root, place[:-1])
        hint = did_you_mean(str(path[-1]), known) or f" Known here: {', '.join(known)}."
        return f"{where} is not a known key.{hint}"
    message = first["msg"].removeprefix("Value error, ")
    given = "" if isinstance(first["input"], (dict, list)) else f", not {_shortened(repr(first['input']))}"
    return f"{where}: {message}{given}" if where else message


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[: MAX_SHOWN_CHARACTERS - 1]}…"


def _fields(section: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """The names that are known at `path` below `section`."""
    for part in path:
        if part in TAGS:
            section = TAGS[part]
        elif isinstance(part, str):
            section = next(model for model in _models(section.model_fields[part].annotation))
    return list(section.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
