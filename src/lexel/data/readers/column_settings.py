"""How a table is read as `--set data.caption=…` says it, for verbs that read a source without a recipe."""

import tomllib
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationError

from lexel.config import Config
from lexel.errors import UsageError, did_you_mean


def _check_captions(value: Any) -> Any:
    """Raise ValueError for what names no captions, in one sentence instead of one for each form."""
    if isinstance(value, dict):
        weights = [weight for weight in value.values() if isinstance(weight, int | float)]
        fits = 0 < len(weights) == len(value) and all(0 < weight < float("inf") for weight in weights)
    else:
        fits = value is None or isinstance(value, str) or all(isinstance(one, str) for one in _listed(value))
    if not fits:
        raise ValueError(
            "give the name of a column, a template such as '{colour} {title}', a list of these, or a table of these "
            "with weights above 0, such as {title = 0.7, description = 0.3}"
        )
    return value


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else [value]


# A column, a template, a list of these, or a table of these with their weights.
CaptionNames = Annotated[str | tuple[str, ...] | dict[str, float] | None, BeforeValidator(_check_captions)]


class ColumnSettings(Config):
    """What the user named; `caption` is a column, a template such as "{colour} {title}", or several of these.

    Several are a list, or a table with weights: `{title = 0.7, "{colour} {title}" = 0.3}`.
    """

    caption: CaptionNames = None
    label: str | None = None
    image: str | None = None
    encoding: str | None = None

    @classmethod
    def from_changes(cls, changes: Sequence[str]) -> "ColumnSettings":
        """Read `data.caption=VALUE` and the like; a value is TOML, or else the text that it is. Raises UsageError.

        ColumnSettings.from_changes(["data.caption={colour} {title}"]).caption  →  "{colour} {title}"
        """
        given = {}
        for change in changes:
            path, equals, text = change.partition("=")
            name = path.strip().removeprefix("data.")
            if not equals or name not in cls.model_fields:
                known = [f"data.{field}" for field in cls.model_fields]
                near = did_you_mean(path.strip(), known)
                raise UsageError(f"--set takes {', '.join(known)} with a value, not {change!r}.{near}")
            given[name] = _value(text)
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            field = first["loc"][0]
            what = "give the name of an encoding" if field == "encoding" else "give the name of a column"
            if field == "caption":
                what = first["msg"].removeprefix("Value error, ")
            raise UsageError(f"--set data.{field}: {what}.") from None

    def arguments(self) -> dict[str, Any]:
        """What was named, as arguments of `read_source`."""
        return {field: getattr(self, field) for field in type(self).model_fields}


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        return text
