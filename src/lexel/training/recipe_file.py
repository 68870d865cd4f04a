"""Reading a recipe's file, and changing what was read: plain dictionaries, before anything is validated.

A recipe may come from anywhere, so its size, its depth and its numbers are bounded, and whatever is wrong with it is
one UsageError.
"""

import copy
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lexel.errors import UsageError, did_you_mean

MAX_BYTES = 2**20  # of a file; the largest recipe in use has a few thousand
MAX_DEPTH = 20  # of tables and lists in one another; a recipe needs four
MAX_NUMBER = 2**53  # up to which float64 holds every integer


def read_recipe_file(path: Path) -> dict[str, Any]:
    """The content of a TOML file, or of a run folder's recipe.json. Raises UsageError."""
    if not path.is_file():
        siblings = [file.name for file in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        raise UsageError(f'No recipe at "{path}".{did_you_mean(path.name, siblings)}')
    with open(path, "rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise UsageError(f"{path} is too large for a recipe: more than {MAX_BYTES:,} bytes.")
    try:
        text = content.decode("utf-8")
        found = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except RecursionError:
        raise UsageError(f"{path} is not a readable recipe: its values are nested too deep.") from None
    except ValueError as error:  # of TOML, JSON or UTF-8, and Python's own for an integer of too many digits
        raise UsageError(f"{path} is not a readable recipe: {error}") from None
    if not isinstance(found, dict):
        raise UsageError(f"{path} is not a readable recipe: it holds no table of settings.")
    _check_bounds(found, str(path))
    return found


def changed(content: Mapping[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """A copy of `content` after the `path.to.field=value` changes. Raises UsageError for one that cannot be made."""
    content = copy.deepcopy(dict(content))
    for change in changes:
        _apply(content, change)
    return content


def _check_bounds(content: dict[str, Any], where: str) -> None:
    """Raise UsageError for values that are nested too deep, and for numbers that are too large for any setting."""
    waiting: list[tuple[Any, int]] = [(content, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise UsageError(f"{where}: its values are nested more than {MAX_DEPTH} deep; a recipe needs four.")
        if isinstance(value, dict):
            waiting += [(inner, depth + 1) for inner in value.values()]
        elif isinstance(value, list):
            waiting += [(inner, depth + 1) for inner in value]
        elif isinstance(value, int | float) and not abs(value) <= MAX_NUMBER:  # which a NaN is not either
            raise UsageError(f"{where}: {_shown(value)} is no number for a setting: at most {MAX_NUMBER:.0e} is.")


def _shown(value: float) -> str:
    digits = str(value)
    return digits if len(digits) <= 20 else f"{digits[:8]}… ({len(digits):,} digits)"


def _apply(content: dict[str, Any], change: str) -> None:
    """Set one `path.to.field=value`; the value is read as TOML, or else taken as the text that it is."""
    path, equals, text = change.partition("=")
    path = path.strip()
    if not equals or not path:
        raise UsageError(f'--set takes path.to.field=value, such as optimizer.learning_rate=0.001, not "{change}".')
    value = _value(text)
    _check_bounds({"value": value}, f"--set {path}")
    *parents, field = path.split(".")
    if len(parents) >= MAX_DEPTH:
        raise UsageError(f"--set {path[:40]}…: {len(parents):,} dots; a setting has three at most.")
    section: Any = content
    for depth, parent in enumerate(parents):
        section = _enter(section, parent, ".".join(parents[:depth]), change)
    if not isinstance(section, dict):
        raise UsageError(f"--set {change}: name one of the list by its number, such as {'.'.join(parents)}.0.{field}.")
    section[field] = value
    if path in {"steps", "epochs"}:  # the last word decides the length
        content.pop({"steps": "epochs", "epochs": "steps"}[path], None)


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    except (ValueError, RecursionError):  # an integer of too many digits, or brackets without end
        return text


def _enter(section: Any, name: str, path: str, change: str) -> Any:
    """The section `name` within `section`, which is made when it is not there yet."""
    if isinstance(section, list) and name.isdigit():
        if int(name) >= len(section):
            raise UsageError(f"--set {change}: {path} has {len(section)} entries, counted from 0.")
        found = section[int(name)]
    else:
        found = section.setdefault(name, {}) if isinstance(section, dict) else None
    if isinstance(section, list) and found is None:
        raise UsageError(f"--set {change}: name one of the list by its number, such as {path}.0.{name}.")
    if not isinstance(found, (dict, list)):
        raise UsageError(f'--set {change}: "{name}" is a value and has no fields.')
    return found
