"""From the rows of a table to pairs: rows of the same image are one pair with several captions."""

import ast
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexel.data.pairs import EmbeddedImage, ImageFile, Pair, Picture
from lexel.data.readers.columns import Roles, Wanted, choose_columns, is_embedded
from lexel.data.readers.paths import SAMPLE, clean_path, find_root, key_under
from lexel.data.readers.splits import Reading, split_name
from lexel.data.readers.table import Table, read_table
from lexel.errors import DataError


@dataclass(slots=True)
class _Entry:
    picture: Picture
    captions: list[str]
    label: str | None


def read_table_pairs(path: Path, wanted: Wanted) -> Reading:
    """The pairs that a table lists, in its order; image paths are relative to the table."""
    table = read_table(path)
    roles = choose_columns(table, wanted)
    pictures, notes = _pictures(table, roles)
    entries, doubtful = _merge_rows(table, roles, pictures)
    reading = Reading(notes=[f"{path.name}: {note}" for note in (str(roles), *table.notes, *notes, *doubtful)])
    for (key, split), entry in entries.items():
        reading.pairs.append(Pair(key, entry.picture, tuple(entry.captions), entry.label))
        reading.splits.append(split)
    return reading


def _pictures(table: Table, roles: Roles) -> tuple[list[tuple[str, Picture] | None], list[str]]:
    """The key and picture of each row, None where the row names none."""
    values = table.columns[roles.image]
    if any(map(is_embedded, values)):
        found = [_embedded(number, value) for number, value in enumerate(values)]
        notes = []
    else:
        names = [clean_path(_path_text(value)) for value in values]
        root = _root(table, roles, [name for name in names if name])
        found = [_in_file(table.path.parent, root, name) if name else None for name in names]
        notes = [] if root == table.path.parent else [f"images found in {root.name}/"]
    empty = found.count(None)
    return found, [*notes, f"{empty:,} rows skipped that name no image"] if empty else notes


def _embedded(number: int, value: Any) -> tuple[str, Picture] | None:
    if not is_embedded(value):
        return None
    return f"{number:08d}", EmbeddedImage(value if isinstance(value, bytes) else value["bytes"])


def _path_text(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("path")
    return "" if value is None else str(value)


def _root(table: Table, roles: Roles, names: list[str]) -> Path:
    folder = table.path.parent
    root = find_root(folder, names)
    if root or not names:
        return root or folder
    raise DataError(
        f'{table.path}: none of the first {min(SAMPLE, len(names))} images of "{roles.image}" is there,'
        f" such as {names[0]}.\n  Looked in {folder.resolve()} and the folders right below it.\n"
        "  Paths must be relative to the table; another image column is named by --set data.image=NAME"
    )


def _in_file(folder: Path, root: Path, name: str) -> tuple[str, Picture]:
    path = root / name
    return key_under(folder, path), ImageFile(path)


def _merge_rows(
    table: Table, roles: Roles, pictures: list[tuple[str, Picture] | None]
) -> tuple[dict[tuple[str, str | None], _Entry], list[str]]:
    nothing = [None] * len(table)
    captions = table.columns[roles.caption] if roles.caption else nothing
    labels = table.columns[roles.label] if roles.label else nothing
    splits = table.columns[roles.split] if roles.split else nothing
    entries: dict[tuple[str, str | None], _Entry] = {}
    contradictions = 0
    for found, caption, label, split in zip(pictures, captions, labels, splits, strict=True):
        if found is None:
            continue
        key, picture = found
        name = _text(label)
        entry = entries.setdefault((key, split_name(_text(split) or "") or None), _Entry(picture, [], name))
        entry.label = entry.label or name
        contradictions += name is not None and name != entry.label
        entry.captions += _captions(caption, typed=table.typed)
    note = f"{contradictions:,} rows give an image another label than its first row does; the first is kept"
    return entries, [note] if contradictions else []


def _captions(value: Any, *, typed: bool) -> Iterable[str]:
    if isinstance(value, str) and not typed:
        value = _list_in(value) or value
    values = value if isinstance(value, list | tuple) else [value]
    return [text for text in map(_text, values) if text]


def _list_in(text: str) -> list[Any] | None:
    """The list that a CSV field holds as JSON or as Python writes it, or None when it is plain text."""
    if not text.lstrip().startswith("["):
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            value = parse(text.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return value
    return None


def _text(value: Any) -> str | None:
    if value is None or value != value:  # NaN: how pandas writes nothing
        return None
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))
    return str(value).strip() or None
