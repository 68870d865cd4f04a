"""Looking at the rows of a library one by one: which photos have something that is not as it was written."""

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from lexel.library.store import checksums
from lexel.library.store.paths import as_path, readable
from lexel.library.store.records import STORED_DTYPE, Records
from lexel.progress import track

LENGTH_TOLERANCE = 0.01  # of a float16 vector

_FACTS = "width, height, taken, latitude, longitude, camera, keywords, description"
_ENTRIES = f"""SELECT id, path, folder, name, size, mtime_ns, settled, content, caption, caption_stamp, label, tags,
    missing, added, changed, facts_checksum, {_FACTS} FROM files ORDER BY id"""
_CONTENTS = """SELECT thumbnail, thumbnail_checksum, vector, checksum FROM contents LEFT JOIN vectors ON content = id
    WHERE id = ?"""


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
    for id, *entry, checksum, facts in _entries(records):
        if checksum is not None and checksum != checksums.of_values(facts):
            damaged.facts.append(id)
        if not _is_entry(entry, generation):
            damaged.entry.append(id)
    length = records.dimensions * STORED_DTYPE.itemsize
    contents = [id for (id,) in records.rows("SELECT DISTINCT content FROM files WHERE NOT missing ORDER BY content")]
    for content in track(contents, "Verifying", len(contents)):
        thumbnail, thumbnail_checksum, vector, checksum = records.rows(_CONTENTS, (content,))[0]
        if vector is None:
            damaged.no_vector.append(content)
        elif not _is_vector(vector, checksum, length):
            damaged.wrong_vector.append(content)
        if not _is_thumbnail(thumbnail, thumbnail_checksum):
            damaged.thumbnail.append(content)
    return damaged


def _entries(records: Records) -> Iterator[tuple]:
    for row in records.rows(_ENTRIES):
        names = len(_FACTS.split(", "))
        yield *row[:-names], row[-names:]


def _is_entry(entry: Sequence, generation: int) -> bool:
    """Whether an entry is as Lexel writes it: of the right types, and with a path that its folder and name make."""
    path, folder, name, size, mtime, settled, content, caption, stamp, label, tags, missing, added, changed = entry
    whole = all(isinstance(number, int) for number in (size, mtime, content, stamp, changed))
    flags = settled in (0, 1) and missing in (0, 1)
    texts = all(text is None or isinstance(text, str) for text in (caption, label)) and isinstance(added, str)
    if not (whole and flags and texts and size >= 0 and 0 <= changed <= generation):
        return False
    shown_folder, _, shown_name = readable(as_path(path)).rpartition("/")
    return (shown_folder or "/", shown_name) == (folder, name) and _is_list_of_texts(tags)


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
