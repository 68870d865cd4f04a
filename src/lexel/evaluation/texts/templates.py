"""Prompt templates: the sentences in which a label is shown to the text tower.

A label alone ("crane") is unlike anything that a model read in training; a sentence around it ("a photo of a crane.")
is. A family of varied sentences is averaged, which is worth a few points of accuracy. Each family is a file in
`families/`, a template a line; so is a user's own.
"""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from lexel.errors import DataError, UsageError, did_you_mean

DEFAULT_TEMPLATES = "photo"
FAMILIES_FOLDER = Path(__file__).parent / "families"
TEMPLATE_SUFFIXES = (".txt", ".json")
MAX_TEMPLATE_FILE_BYTES = 1 << 20


@cache
def families() -> dict[str, tuple[str, ...]]:
    """The templates of each family that comes with Lexel, by name."""
    return {path.stem: _templates_in(path) for path in sorted(FAMILIES_FOLDER.glob("*.txt"))}


def templates(wanted: str | Sequence[str], *, files: bool = True) -> tuple[str, ...]:
    """The templates meant by a family's name ("photo"), a file, a sentence with {} in it, or several of these.

    A file has a template a line, lines that begin with # being comments; or it is JSON, a list of templates. Without
    `files` none is read, as where strangers ask. Raises UsageError for what is none of these, DataError for a file that
    holds something else.
    """
    if isinstance(wanted, str):
        return _of_one(wanted, files)
    if not wanted:
        raise UsageError('No prompt template was given. Use "{}" for the bare label.')
    return tuple(dict.fromkeys(template for item in wanted for template in _of_one(item, files)))


def _of_one(text: str, files: bool) -> tuple[str, ...]:
    if "{}" in text:
        return (text,)
    if text in families():
        return families()[text]
    path = Path(text).expanduser()
    if files and path.suffix.lower() in TEMPLATE_SUFFIXES:
        return _templates_in(path)
    of_files = "nor a .txt or .json file of them, " if files else ""
    raise UsageError(
        f'"{text}" is neither a family of prompt templates, {of_files}nor a template: that has {{}} for the label.'
        f"{did_you_mean(text, families())}\n  The families are: {', '.join(families())}."
    )


def _templates_in(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        raise UsageError(f"There is no file of prompt templates {path}.")
    if path.stat().st_size > MAX_TEMPLATE_FILE_BYTES:
        raise DataError(f"{path} has more than {MAX_TEMPLATE_FILE_BYTES:,} bytes: those are no prompt templates.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8 text.") from None
    found = _json_list(text, path) if path.suffix.lower() == ".json" else _lines(text)
    if not found:
        raise DataError(f"{path} holds no prompt templates: one a line, with {{}} for the label.")
    for number, template in enumerate(found, start=1):
        if "{}" not in template:
            raise DataError(f'{path}: template {number}, "{template}", has no {{}} where the label should go.')
    return tuple(dict.fromkeys(found))


def _lines(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _json_list(text: str, path: Path) -> list[str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}") from None
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise DataError(f'{path} is no list of prompt templates, such as ["a photo of a {{}}.", "a {{}}"].')
    return found
