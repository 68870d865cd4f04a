"""Hugging Face's layouts: what `datasets` saves to disk or keeps in its cache, and the hub's Parquet files."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lexel.data.readers.layouts.parts import Layout
from lexel.data.readers.splits import FOLDER_SPLITS, split_name
from lexel.errors import DataError
from lexel.terminal import counted

_SPLIT_IN_NAME = re.compile(
    r"(?:.*[-_.])?(train|training|test|testing|val|valid|validation|dev)(?:[-_]\d+(?:-of-\d+)?)?(?:-[0-9a-f]{16})?",
    re.IGNORECASE,
)
_SUFFIXES = (".parquet", ".arrow")


def find_saved(root: Path) -> Layout | None:
    """What `Dataset.save_to_disk` or `DatasetDict.save_to_disk` has written. Raises DataError where it is not whole."""
    if (root / "dataset_dict.json").is_file():
        names = _read(root / "dataset_dict.json").get("splits")
        folders = {name: root / str(name) for name in names} if isinstance(names, list) else {}
    elif (root / "state.json").is_file() and (root / "dataset_info.json").is_file():
        folders = {None: root}
    else:
        return None
    splits: dict[Path, str] = {}
    tables: list[Path] = []
    for name, folder in folders.items():
        state = _read(folder / "state.json")
        files = state.get("_data_files")
        names = [str(file.get("filename")) for file in files or () if isinstance(file, dict)]
        for path in (folder / Path(name).name for name in names):
            if not path.is_file():
                raise DataError(f"{root} is incomplete: {path} is missing.")
            tables.append(path)
            if split := name or state.get("_split"):
                splits[path] = str(split)
    if not tables:
        raise DataError(f"{root} is a saved data set without any rows.")
    return Layout("a data set that was saved by Hugging Face's datasets", tuple(tables), splits)


def find_parquet(root: Path) -> Layout | None:
    """A folder of Parquet or Arrow files that hold their pictures, their splits in their names or folders."""
    tables = sorted(_tables_below(root))
    if not tables:
        return None
    splits = {path: split for path in tables if (split := _split_of(path.relative_to(root)))}
    return Layout(counted(len(tables), "Parquet or Arrow file"), tuple(tables), splits)


def _tables_below(root: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        # datasets keeps what its map() computed as cache-….arrow: the same rows again.
        yield from (
            Path(place, name) for name in files if name.lower().endswith(_SUFFIXES) and not name.startswith("cache-")
        )


def _split_of(path: Path) -> str | None:
    named = _SPLIT_IN_NAME.fullmatch(path.stem)
    if named:
        return split_name(named[1])
    return next((split_name(part) for part in path.parts[:-1] if split_name(part) in FOLDER_SPLITS), None)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read: {str(error)[:160]}") from None
    if not isinstance(content, dict):
        raise DataError(f"{path} is not a JSON object.")
    return content
