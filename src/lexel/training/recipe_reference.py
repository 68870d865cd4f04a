"""Writes docs/recipes.md: every key of a recipe with its type, its default and its meaning, read off the settings.

    python -m lexel.training.recipe_reference docs/recipes.md

The meaning of a key is the comment beside it in the code, so the page and the code say the same. A test
fails where the page is not what this writes.
"""

import ast
import inspect
import sys
import textwrap
import tokenize
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lexel.architectures.config import IMAGE_TOWERS, TEXT_TOWERS
from lexel.training.recipe import Recipe

TOWERS: dict[str, tuple[type[BaseModel], ...]] = {
    "model.image": IMAGE_TOWERS,
    "model.text": TEXT_TOWERS,
}
BOUNDS = {Gt: "more than", Ge: "at least", Lt: "less than", Le: "at most"}


def reference() -> str:
    """The page, in Markdown."""
    parts = [_head(), _table("", Recipe)]
    for path, settings in _sections("", Recipe):
        parts.append(f"## [{path}]\n\n{_docstring(settings)}")
        parts.append(_table(path, settings))
        if path == "model":
            parts.append(
                "The tables below list what `[model.image]` and `[model.text]` may change. The defaults are those of "
                "the kind of tower; a named architecture brings its own (`lexel models list`)."
            )
            parts += [_tower(tower, kind) for tower, kinds in TOWERS.items() for kind in kinds]
    return "\n\n".join(parts) + "\n"


def _head() -> str:
    return f"""# Recipes

<!-- Written by python -m lexel.training.recipe_reference; do not edit. -->

A recipe is a TOML file that describes a training run wholly. `lexel train recipe.toml` runs it, and
`lexel plan recipe.toml` says what it needs. The smallest one names a length and a source:

```toml
epochs = 10
[data]
sources = [{{ source = "products.csv" }}]
```

Every key can be changed on the command line, `--set optimizer.learning_rate=0.0003`, and in Python,
`lexel.train("recipe.toml", changes=["optimizer.learning_rate=0.0003"])`. One of a list is named by its number:
`--set data.sources.0.weight=2`. A key that does not exist is an error. The run folder keeps the resolved recipe in
`recipe.json`, which can be given in place of a recipe too.

## At the top

{_docstring(Recipe)}"""


def _sections(path: str, settings: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """The tables below this one, in the order of their keys: (path, its settings)."""
    for name, field in settings.model_fields.items():
        inner = _settings_in(field.annotation)
        if inner is not None:
            below = f"{path}.{name}".lstrip(".")
            yield below, inner
            yield from _sections(below, inner)


def _settings_in(annotation: Any) -> type[BaseModel] | None:
    """The settings that a key holds, or a list of them holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _settings_in(part)) is not None), None)


def _tower(path: str, settings: type[BaseModel]) -> str:
    kind = settings.model_fields["kind"].default
    return f'### [{path}], `kind = "{kind}"`\n\n{_docstring(settings)}\n\n{_table(path, settings)}'


def _docstring(settings: type[BaseModel]) -> str:
    """Without the example, which is for whoever writes Python."""
    return " ".join((settings.__doc__ or "").partition("Example:")[0].split())


def _table(path: str, settings: type[BaseModel]) -> str:
    meanings = field_comments(settings)
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for name, field in settings.model_fields.items():
        inner = _settings_in(field.annotation)
        key = f"{path}.{name}".lstrip(".")
        if inner is not None:
            kind = "list of tables" if get_origin(field.annotation) is tuple else "table"
            needed = "required" if field.is_required() else ""
            lines.append(f"| `{name}` | {kind} | {needed} | see [{key}](#{key.replace('.', '')}) |")
        elif not _tells_towers_apart(name, field):
            lines.append(f"| `{name}` | {_type(field)} | {_default(field)} | {_meaning(meanings[name])} |")
    return "\n".join(lines)


def _tells_towers_apart(name: str, field: FieldInfo) -> bool:
    return name == "kind" and len(get_args(field.annotation)) == 1


def _meaning(comment: str) -> str:
    """The comment as a sentence about a file in which keys may be left out."""
    return _escaped(comment.replace(". None:", ". Left out:").replace("None:", "left out:"))


def _type(field: FieldInfo) -> str:
    return _escaped(", ".join([_words(field.annotation), *_bounds(field.metadata)]))


def _bounds(metadata: Sequence[Any]) -> list[str]:
    """ "at least 2", "less than 1"; nothing for a whole number of which only 0 and less are refused."""
    return [
        f"{words} {bound:g}"
        for one in metadata
        for kind, words in BOUNDS.items()
        if isinstance(one, kind)
        for bound in [getattr(one, kind.__name__.lower())]
    ]


def _words(annotation: Any) -> str:
    """A type as people say it."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return ", ".join([_words(inner[0]), *_bounds(inner[1:])])
    if origin is Literal:
        return " or ".join(_value(one) for one in inner)
    if origin in (Union, UnionType):
        return " or ".join(_words(one) for one in inner if one is not NoneType)
    if origin is tuple:
        return f"list of {_words(inner[0])}" if inner[-1] is Ellipsis else f"list of {len(inner)}: {_words(inner[0])}"
    if origin is dict:
        return "table"
    return {bool: "`true` or `false`", int: "integer", float: "number", str: "text"}[annotation]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "" if value is None or value == {} else _value(value)


def _value(value: Any) -> str:
    """As TOML writes it."""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        inside = ", ".join(f'"{one}"' if isinstance(one, str) else f"{one:.4g}" for one in value)
        return f"`[{inside}]`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value:g}`"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def field_comments(settings: type[BaseModel]) -> dict[str, str]:
    """The comment beside each field of the settings, those that they inherit included, by the field's name.

    A comment goes on in lines that hold nothing else.
    """
    found: dict[str, str] = {}
    for kind in reversed(settings.__mro__):
        if issubclass(kind, BaseModel) and kind is not BaseModel:
            found |= _comments_of(kind)
    return found


def _comments_of(settings: type[BaseModel]) -> dict[str, str]:
    source = textwrap.dedent(inspect.getsource(settings))
    comments = {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokenize.generate_tokens(StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    [definition] = ast.parse(source).body
    assert isinstance(definition, ast.ClassDef)
    lines = source.splitlines()
    found = {}
    for statement in definition.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            line = statement.end_lineno or statement.lineno
            words = [comments[at] for at in range(statement.lineno, line + 1) if at in comments]
            while line + 1 in comments and lines[line].lstrip().startswith("#"):
                line += 1
                words.append(comments[line])
            found[statement.target.id] = " ".join(words)
    return found


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("Write the page of all keys: python -m lexel.training.recipe_reference docs/recipes.md")
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
