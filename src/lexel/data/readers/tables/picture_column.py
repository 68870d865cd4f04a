"""The picture that each row of a table names: a file beside the table, or the picture itself within a Parquet file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexel.data.pairs import EmbeddedImage, ImageFile, Picture
from lexel.data.readers.moved_paths import MovedPaths, find_by_tail, is_absolute_anywhere
from lexel.data.readers.paths import SAMPLE, clean_path, find_root, key_under
from lexel.data.readers.tables.columns import is_embedded
from lexel.data.readers.tables.table import Table
from lexel.data.readers.tables.values import is_missing_word
from lexel.errors import DataError

MIN_FOUND_BY_TAIL = 0.5  # of the paths of another machine; fewer are chance


@dataclass(frozen=True, slots=True)
class KeyedPicture:
    """A picture and its stable key."""

    key: str
    picture: Picture


def read_pictures(table: Table, column: str) -> tuple[list[KeyedPicture | None], list[str]]:
    """The picture of each row, None where the row names none, and notes. Raises DataError where none is found."""
    values = table.columns[column]
    if any(map(is_embedded, values)):
        found, notes = [_embedded(number, value) for number, value in enumerate(values)], []
    else:
        found, notes = _in_files(table, column, [_path_text(value) for value in values])
    nameless = sum(not is_embedded(value) and not _path_text(value) for value in values)
    return found, [*notes, f"{nameless:,} rows skipped that name no image"] if nameless else notes


def _embedded(number: int, value: Any) -> KeyedPicture | None:
    if not is_embedded(value):
        return None
    return KeyedPicture(f"{number:08d}", EmbeddedImage(value if isinstance(value, bytes) else value["bytes"]))


def _path_text(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("path")
    return value.strip() if isinstance(value, str) and not is_missing_word(value) else ""


def _in_files(table: Table, column: str, texts: Sequence[str]) -> tuple[list[KeyedPicture | None], list[str]]:
    folder = table.path.parent
    names = [clean_path(text) for text in texts]
    given = list(dict.fromkeys(name for name in names if name))
    root = find_root(folder, given)
    if root or not given:
        root = root or folder
        notes = [] if root == folder else [f"images found in {root.name}/"]
        return [_keyed(folder, root / name) if name else None for name in names], notes
    absolute = [text for text in texts if is_absolute_anywhere(text)]
    moved = find_by_tail(folder, absolute) if absolute else None
    if moved is None or len(moved.files) < MIN_FOUND_BY_TAIL * len(set(absolute)):
        raise DataError(_why_none(table, column, given, moved))
    found = [_moved(folder, text, name, moved) for text, name in zip(texts, names, strict=True)]
    return found, _moved_notes(folder, moved, texts)


def _keyed(folder: Path, path: Path) -> KeyedPicture:
    return KeyedPicture(key_under(folder, path), ImageFile(path))


def _moved(folder: Path, text: str, name: str, moved: MovedPaths) -> KeyedPicture | None:
    """What is not found stays in: it counts as an image that cannot be read, as where paths are relative."""
    if not name or text in moved.ambiguous:
        return None
    return _keyed(folder, moved.files.get(text, folder / name))


def _moved_notes(folder: Path, moved: MovedPaths, texts: Sequence[str]) -> list[str]:
    text, path = next(iter(moved.files.items()))
    notes = [f"images found by the ends of their paths: {text} is {path.relative_to(folder)}"]
    if left_out := sum(text in moved.ambiguous for text in texts):
        text, files = next(iter(moved.ambiguous.items()))
        notes.append(f"{left_out:,} rows left out that fit no single file, such as {text} ({', '.join(files[:3])})")
    return notes


def _why_none(table: Table, column: str, names: Sequence[str], moved: MovedPaths | None) -> str:
    looked = f"Looked in {table.path.parent.resolve()} and the folders right below it"
    if moved is not None:
        looked += (
            f",\n  and by the ends of the paths among the {moved.looked_at:,} images below it:"
            f" {len(moved.files):,} of {len(names):,} found"
        )
    return (
        f'{table.path}: none of the first {min(SAMPLE, len(names))} images of "{column}" is there,'
        f" such as {names[0]}.\n"
        f"  {looked}.\n"
        "  Paths must be relative to the table; another image column is named by --set data.image=NAME"
    )
