"""Tables that lie among pictures and were not read: named, so that captions are never missing without a word."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from lexel.data.readers.tables.table import READERS
from lexel.terminal import counted

MAX_NAMED = 3  # tables
NO_TABLES = frozenset({"dataset_info.json", "dataset_infos.json", "state.json", "dataset_dict.json", "package.json"})
_IMAGE_WORDS = (b"image", b"file", b".jpg", b".png", b".webp")


def tables_passed_over(root: Path, images: Sequence[str]) -> list[str]:
    """A line for each table in the folder or below it that may hold captions, and one for JSON beside the pictures."""
    stems = {image.rpartition(".")[0] for image in images}
    tables, beside = [], []
    for path in _tables_below(root):
        is_beside = os.path.splitext(os.path.relpath(path, root))[0] in stems  # noqa: PTH122 - as the pictures' paths
        (beside if is_beside else tables).append(path)
    notes = [f"a table lies there too; to read it, name it as the source: {path}" for path in tables[:MAX_NAMED]]
    if len(tables) > MAX_NAMED:
        notes.append(f"{counted(len(tables) - MAX_NAMED, 'more table')} that may hold captions")
    if beside:
        kind = beside[0].suffix
        notes.append(f"{counted(len(beside), kind + ' file')} beside the images not read, such as {beside[0].name}")
    return notes


def find_tables(root: Path) -> list[Path]:
    """The tables in the folder itself that may list pictures, sorted."""
    return sorted(path for path in root.iterdir() if _is_table(path))


def _tables_below(root: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        at_root = Path(place) == root
        for name in sorted(files):
            path = Path(place, name)
            # Below, a .txt stands beside its picture or says something of the folder.
            if _is_table(path) and (at_root or path.suffix.lower() != ".txt"):
                yield path


def _is_table(path: Path) -> bool:
    """Whether a file may list pictures: a .txt as Flickr8k's captions.txt does, and no readme; other tables always."""
    name, suffix = path.name.lower(), path.suffix.lower()
    if suffix not in READERS or name.startswith((".", "readme", "license")) or name in NO_TABLES:
        return False
    if not path.is_file():
        return False
    if suffix != ".txt":
        return True
    with path.open("rb") as file:
        head = file.readline(1000).lower()
    return any(mark in head for mark in b",\t;|") and any(word in head for word in _IMAGE_WORDS)
