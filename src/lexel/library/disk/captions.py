"""Captions and labels that lie beside pictures: in a text file of the same name, or in a metadata table."""

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from lexel.data.pairs import ImageFile, Pair
from lexel.data.readers.tables.columns import Wanted
from lexel.data.readers.tables.rows import read_table_pairs
from lexel.data.readers.text import decode_text
from lexel.errors import DataError, LexelError, UsageError
from lexel.library.store.changes import Changes
from lexel.library.store.database.paths import absolute, is_below
from lexel.library.store.records import Records
from lexel.library.store.table_captions import caption_tables, note_caption_table, set_table_captions

MAX_TEXT_BYTES = 1_000_000  # of a text file; the rest of a longer one is no caption


def read_text_beside(picture: str) -> str | None:
    """The caption in the text file beside a picture, a line each where there are several."""
    stem = picture.rpartition(".")[0]
    content = _read_text(f"{stem}.txt")
    if content is None:
        content = _read_text(f"{stem}.TXT")
    if content is None:
        return None
    text, _ = decode_text(content)
    return "\n".join(line.strip() for line in text.splitlines() if line.strip()) or None


def _read_text(path: str) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe in its place would block for ever
        with open(descriptor, "rb") as file:
            return file.read(MAX_TEXT_BYTES) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    except OSError:
        return None


def take_tables(records: Records, tables: Mapping[str, int], changed: Iterable[int]) -> list[str]:
    """Take captions and labels from those metadata tables that are new or changed, or have changed photos below them.

    `tables` are paths with their times, `changed` are photos. Returns notes on tables that cannot be read.
    """
    if not tables:
        return []
    stamps = caption_tables(records)
    folders = {photo.folder for photo in records.photos(changed)}
    notes: list[str] = []
    for path, stamp in sorted(tables.items()):
        home = path.rpartition("/")[0] or "/"
        if stamps.get(path) == stamp and not any(is_below(folder, home) for folder in folders):
            continue
        try:
            pairs = read_table_pairs(Path(path), Wanted(text_required=False)).pairs
        except LexelError as error:
            notes.append(f"No captions taken from {path}: {error}")
            pairs = []
        with records.changing() as changes:
            annotate(changes, pairs)
            note_caption_table(changes, path, stamp)
    return notes


def annotate(changes: Changes, pairs: Iterable[Pair]) -> None:
    """Give the photos that the pairs speak of their captions and labels, if they are in the library."""
    set_table_captions(
        changes,
        (
            (absolute(pair.picture.path), "\n".join(pair.captions) or None, pair.label)
            for pair in pairs
            if isinstance(pair.picture, ImageFile) and (pair.captions or pair.label)
        ),
    )


def files_of(pairs: Iterable[Pair], name: str) -> list[str]:
    """The absolute paths of the pairs' pictures. Raises UsageError when they are in no files of their own."""
    found = []
    for pair in pairs:
        if not isinstance(pair.picture, ImageFile):
            raise UsageError(
                f"The pictures of {name} are in no files of their own, and a library is one of picture files.\n"
                "  lexel embed embeds such a source into a Parquet file."
            )
        found.append(absolute(pair.picture.path))
    if not found:
        raise DataError(f"{name} names no pictures.")
    return list(dict.fromkeys(found))
