"""The picture that each row of a table names: a file beside the table, or the picture itself within a Parquet file."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexel.data.pairs import EmbeddedImage, ImageFile, Picture, TableImage
from lexel.data.readers.lookup import Lookup, Way, find_files, is_absolute_anywhere
from lexel.data.readers.paths import SAMPLE, clean_path, find_root, key_under, place_to_search, spread
from lexel.data.readers.tables.column_names import FOLDER_NAMES, plain_name
from lexel.data.readers.tables.table import Table
from lexel.data.readers.tables.values import is_embedded, path_text
from lexel.errors import DataError
from lexel.terminal import counted

MIN_FOUND_BY_END = 0.5  # of the paths of another machine; fewer are chance


class NoPicturesError(DataError):
    """A table of which no picture is there."""


@dataclass(frozen=True, slots=True)
class KeyedPicture:
    """A picture and its stable key."""

    key: str
    picture: Picture


def read_pictures(table: Table, column: str) -> tuple[list[KeyedPicture | None], list[str]]:
    """The picture of each row, None where the row names none, and notes. Raises NoPicturesError."""
    values = table.columns[column]
    if any(map(is_embedded, values)):
        found, notes = [_embedded(number, value) for number, value in enumerate(values)], []
    else:
        found, notes = _in_files(table, column, [path_text(value) for value in values])
    nameless = sum(not is_embedded(value) and not path_text(value) for value in values)
    return found, [
        *notes,
        f"{counted(nameless, 'row')} skipped that {'names' if nameless == 1 else 'name'} no image",
    ] if nameless else notes


def _embedded(number: int, value: Any) -> KeyedPicture | None:
    if not is_embedded(value):
        return None
    if isinstance(value, TableImage):
        return KeyedPicture(f"{number:08d}", value)
    return KeyedPicture(f"{number:08d}", EmbeddedImage(value if isinstance(value, bytes) else value["bytes"]))


def _in_files(table: Table, column: str, texts: Sequence[str]) -> tuple[list[KeyedPicture | None], list[str]]:
    folder = table.path.parent
    names = _with_folders(table, column, [clean_path(text) for text in texts])
    given = list(dict.fromkeys(name for name in names if name))
    root, all_there = find_root(folder, given)
    if all_there or not given:
        root = root or folder
        notes = [] if root == folder else [f"images found in {root.name}/"]
        return [_keyed(folder, root / name) if name else None for name in names], notes
    lookup = _look_up(folder, root, given)
    absolute = sum(map(is_absolute_anywhere, given))
    by_end_alone = set(lookup.ways.values()) <= {Way.END} and absolute
    if not lookup.files or (by_end_alone and len(lookup.files) < MIN_FOUND_BY_END * absolute):
        raise NoPicturesError(_why_none(table, column, given, lookup))
    missing = [name for name in given if name not in lookup.files and name not in lookup.ambiguous]
    found = [_found(folder, root or folder, name, lookup) for name in names]
    written = dict(zip(reversed(names), reversed(texts), strict=True))
    return found, _lookup_notes(folder, root, written, names, missing, lookup)


def _look_up(folder: Path, root: Path | None, names: Sequence[str]) -> Lookup:
    """The files below the table's folder, or below the one above it where the sample's pictures lie there."""
    if root is None or root == folder or folder in root.parents:
        return find_files(place_to_search(folder), names, first=root)
    return find_files(folder.resolve().parent, names, first=root)


def _with_folders(table: Table, column: str, names: list[str]) -> list[str]:
    """The names with the folders of a column of their own before them, where the files are there: Karpathy's way."""
    for other in table.columns:
        if other == column or plain_name(other) not in FOLDER_NAMES:
            continue
        folders = [path_text(value) for value in table.columns[other]]
        whole = [f"{above}/{name}" if above and name else name for above, name in zip(folders, names, strict=True)]
        if whole != names and find_root(table.path.parent, [name for name in whole if name])[1]:
            return whole
    return names


def _keyed(folder: Path, path: Path) -> KeyedPicture:
    return KeyedPicture(key_under(folder, path), ImageFile(path))


def _found(folder: Path, root: Path, name: str, lookup: Lookup) -> KeyedPicture | None:
    """What is not found stays in: it counts as an image that cannot be read."""
    if not name or name in lookup.ambiguous:
        return None
    return _keyed(folder, lookup.files.get(name, root / name))


def _lookup_notes(
    folder: Path,
    root: Path | None,
    written: dict[str, str],
    names: Sequence[str],
    missing: Sequence[str],
    lookup: Lookup,
) -> list[str]:
    """What to tell of a look-up; `written` are the names as the table has them."""
    notes = [] if root is None or root == folder else [f"images found in {root.name}/"]
    for way in list(Way)[1:]:
        if found := lookup.example(way):
            count, name, path = found
            share = "" if count == len(written) else f"{count:,} "
            notes.append(f"{share}images found by {way}: {written[name]} is {_shown(folder, path)}")
    if missing:
        verb = "does" if len(missing) == 1 else "do"
        share = (
            f"{len(missing):,} of {counted(len(written), 'image')} {verb} not exist ({len(missing) / len(written):.0%})"
        )
        notes.append(f"{share}, such as {written[missing[0]]}")
    if left_out := sum(name in lookup.ambiguous for name in names):
        name, files = next(iter(lookup.ambiguous.items()))
        notes.append(
            f"{counted(left_out, 'row')} left out that could mean several files, such as {written[name]} "
            f"({', '.join(files[:3])})"
        )
    return notes


def _shown(folder: Path, path: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else os.path.relpath(path, folder.resolve())


def _why_none(table: Table, column: str, names: Sequence[str], lookup: Lookup) -> str:
    looked = f"Looked in {table.path.parent.resolve()} and the folders right below it"
    if lookup.looked_at:
        looked += (
            f",\n  and by name among the {counted(lookup.looked_at, 'image')} below it:"
            f" {len(lookup.files):,} of {len(names):,} found"
        )
    sample = spread(names, SAMPLE)
    which = (
        "none of the images" if len(sample) == len(names) else f"none of {len(sample)} images, spread over the table,"
    )
    return (
        f'{table.path}: {which} of "{column}" is there, such as {names[0]}.\n'
        f"  {looked}.\n"
        "  Paths must be relative to the table; another image column is named by --set data.image=NAME"
    )
