"""The files of a published probe: rows of a JSON file or table, and the pictures that they name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lexel.data.readers.tables.table import READERS, read_table
from lexel.errors import DataError, UsageError

PICTURE_SUFFIXES = ("", ".png", ".jpg", ".jpeg", ".webp")
MAX_ANNOTATION_BYTES = 1 << 30
NAMED_FILES = 3  # in a message

Row = Mapping[str, Any]


def rows_in(path: Path) -> list[Row]:
    """The rows of a file: a JSON list of objects, a JSON object of numbered ones, JSON lines, or a table."""
    if not path.is_file():
        raise UsageError(f"There is no file {path}.")
    if path.suffix.lower() == ".json":
        return _rows_of(read_json(path), path)
    if path.suffix.lower() not in READERS:
        raise UsageError(f"{path} is not a table. Give .json, .jsonl, .csv, .tsv or .parquet.")
    columns = read_table(path).columns
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def read_json(path: Path) -> Any:
    """What a JSON file holds. Raises DataError where it is none."""
    if path.stat().st_size > MAX_ANNOTATION_BYTES:
        raise DataError(
            f"{path} has more than {MAX_ANNOTATION_BYTES:,} bytes: that is too large for the captions of a probe."
        )
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}") from None


def _rows_of(value: Any, path: Path) -> list[Row]:
    rows = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path} is no list of objects, [{{…}}, {{…}}], one for each question of the probe.")
    return rows


def text_of(row: Row, names: Sequence[str], place: str) -> str:
    """The text in the first of the named fields that the row has. Raises DataError where there is none."""
    value = next((row[name] for name in names if row.get(name) not in (None, "")), None)
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{place} has no {' or '.join(names)}. It has: {', '.join(map(str, row))}.")
    return value.strip()


def files_of_folder(folder: Path, names: Iterable[str], what: str) -> list[Path]:
    """Those of the named files that lie in the folder or its `data` folder. Raises UsageError where there are none."""
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder} with {what}.")
    names = list(names)
    found = [next((path for path in (folder / name, folder / "data" / name) if path.is_file()), None) for name in names]
    there = [path for path in found if path is not None]
    if not there:
        listed = ", ".join(names[:NAMED_FILES]) + (" …" if len(names) > NAMED_FILES else "")
        raise UsageError(f"{folder} holds none of the files of {what}: {listed}.")
    return there


class PictureFolder:
    """Where the pictures of a probe lie, found by name; what is missing is told at once, by `check`."""

    def __init__(self, places: Sequence[Path], advice: str) -> None:
        self.places = [place for place in dict.fromkeys(places) if place.is_dir()]
        self.asked = places
        self.advice = advice  # where the pictures come from
        self.missing: dict[str, None] = {}
        self.found: dict[str, Path] = {}

    def find(self, name: str) -> Path:
        """The picture of that name in one of the folders, with or without its suffix."""
        if name not in self.found:
            self.found[name] = self._find(name)
        return self.found[name]

    def _find(self, name: str) -> Path:
        relative = Path(name)
        if relative.is_absolute() or ".." in relative.parts:  # a name from a file must not lead anywhere else
            self.missing[name] = None
            return relative
        for place in self.places:
            for suffix in PICTURE_SUFFIXES:
                for candidate in (place / f"{name}{suffix}", place / f"{relative.name}{suffix}"):
                    if candidate.is_file():
                        return candidate
        self.missing[name] = None
        return relative

    def check(self, source: str) -> None:
        """Raise DataError where pictures were not found: without them the number would be another one."""
        if not self.missing:
            return
        names = list(self.missing)
        listed = ", ".join(names[:NAMED_FILES]) + (" …" if len(names) > NAMED_FILES else "")
        where = " or ".join(str(place) for place in self.places or self.asked)
        raise DataError(
            f"{source}: {len(names):,} of its {len(self.found):,} pictures are not in {where}: {listed}\n"
            f"  {self.advice} Where they lie elsewhere, say so: {source.partition('?')[0]}?images=FOLDER"
        )


def image_folders(folder: Path, images: Path | None, usual: Sequence[str]) -> list[Path]:
    """The folders to look for pictures in: the one that the user names, else the usual ones beside the files."""
    return [images] if images is not None else [folder / name for name in usual] + [folder]
