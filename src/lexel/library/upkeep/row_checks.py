"""Looking at the rows of a library one by one: which photos have something that is not as it was written."""

import io
import json
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from lexel.library.store.database import checksums
from lexel.library.store.database.paths import as_path, readable
from lexel.library.store.integrity import StoredEntry, entries, searched_contents, stored_content
from lexel.library.store.records import STORED_DTYPE, Records
from lexel.progress import track

LENGTH_TOLERANCE = 0.01  # of a float16 vector


@dataclass(slots=True)
class DamagedRows:
    """Ids of contents, or of photos, that are damaged."""

    no_vector: list[int] = field(default_factory=list)  # contents
    wrong_vector: list[int] = field(default_factory=list)
    thumbnail: list[int] = field(default_factory=list)
    facts: list[int] = field(default_factory=list)  # photos
    entry: list[int] = field(default_factory=list)


def look_at_rows(records: Records) -> DamagedRows:
    """Every row of photos, vectors and thumbnails. Raises DataError where SQLite cannot read one."""
    damaged = DamagedRows()
    generation = records.generation
    for entry in entries(records):
        if entry.facts_checksum is not None and entry.facts_checksum != checksums.of_values(entry.facts):
            damaged.facts.append(entry.id)
        if not _is_entry(entry, generation):
            damaged.entry.append(entry.id)
    length = records.dimensions * STORED_DTYPE.itemsize
    contents = searched_contents(records)
    for content in track(contents, "Verifying", len(contents)):
        stored = stored_content(records, content)
        if stored.vector is None:
            damaged.no_vector.append(content)
        elif not _is_vector(stored.vector, stored.vector_checksum, length):
            damaged.wrong_vector.append(content)
        if not _is_thumbnail(stored.thumbnail, stored.thumbnail_checksum):
            damaged.thumbnail.append(content)
    return damaged


def _is_entry(entry: StoredEntry, generation: int) -> bool:
    """Whether an entry is as Lexel writes it: of the right types, and with a path that its folder and name make."""
    whole = (entry.mtime_ns, entry.content, entry.caption_stamp)
    if not all(isinstance(number, int) for number in whole):
        return False
    if entry.settled not in (0, 1) or entry.missing not in (0, 1) or not isinstance(entry.added, str):
        return False
    if not all(text is None or isinstance(text, str) for text in (entry.caption, entry.label)):
        return False
    size, changed, path = entry.size, entry.changed, entry.path
    if not (isinstance(size, int) and isinstance(changed, int) and size >= 0 and 0 <= changed <= generation):
        return False
    if not isinstance(path, str | bytes):
        return False
    shown_folder, _, shown_name = readable(as_path(path)).rpartition("/")
    return (shown_folder or "/", shown_name) == (entry.folder, entry.name) and _is_list_of_texts(entry.tags)


def _is_list_of_texts(column: object) -> bool:
    try:
        found = json.loads(column) if isinstance(column, str) else None
    except ValueError:
        return False
    return isinstance(found, list) and all(isinstance(text, str) for text in found)


def _is_vector(vector: object, checksum: int | None, length: int) -> bool:
    if not isinstance(vector, bytes) or len(vector) != length:
        return False
    norm = np.linalg.norm(np.frombuffer(vector, STORED_DTYPE).astype(np.float64))
    return bool(abs(norm - 1) < LENGTH_TOLERANCE) and checksum in (None, checksums.of_bytes(vector))


def _is_thumbnail(content: object, checksum: int | None) -> bool:
    if not isinstance(content, bytes):
        return False
    if checksum is not None:
        return checksum == checksums.of_bytes(content)
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
            image.load()
    except Exception:  # any: Pillow raises nearly everything at damaged files
        return False
    return True
