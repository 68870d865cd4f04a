"""Looking at every row of a library: whether each is whole, and what to do where one is not."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from lexel.errors import DataError
from lexel.library.store.paths import as_path, readable
from lexel.library.store.records import FLOAT16, Records
from lexel.progress import track

TOLERANCE = 0.01  # of a float16 vector's length
_NAMED = 3  # photos in one problem
_ASKED = 200  # photos that are looked for by their own vectors

_AGAIN = "Remove these photos and index their folder again: lexel library remove LIBRARY PATH"
_COPY = "Put back a copy of the library, or index the pictures into a new one."


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not whole."""

    what: str
    remedy: str


def verify(records: Records) -> list[Problem]:
    """What is damaged in the records and their cache; empty when all is whole."""
    problems = _of_the_file(records)
    if any(problem.remedy == _COPY for problem in problems):
        return problems  # what would be read next may be anything
    no_vector, wrong, dark = _damaged(records)
    for contents, what in (
        (no_vector, "have no vector"),
        (wrong, f"have a vector that is not {records.dimensions} numbers of length 1"),
        (dark, "have a thumbnail that cannot be decoded"),
    ):
        if contents:
            problems.append(Problem(_named(records, contents, what), _AGAIN))
    return problems + _of_the_cache(records)


def _of_the_file(records: Records) -> list[Problem]:
    try:
        found = [line for (line,) in records.rows("PRAGMA integrity_check(5)") if line != "ok"]
        if found:
            return [Problem(f"records.sqlite is damaged: {found[0]}", _COPY)]
        strays = records.rows("PRAGMA foreign_key_check")
        if strays:
            return [Problem(f"{len(strays):,} rows refer to what is not there.", _COPY)]
        return _of_the_words(records)
    except DataError as error:
        return [Problem(str(error).splitlines()[0], _COPY)]


def _of_the_words(records: Records) -> list[Problem]:
    if records.read_only:
        return []
    try:
        records.rows("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)")
    except DataError:
        return [
            Problem(
                "The index of words does not fit the photos.",
                "It can be made anew: sqlite3 records.sqlite \"INSERT INTO words (words) VALUES ('rebuild')\"",
            )
        ]
    return []


def _damaged(records: Records) -> tuple[list[int], list[int], list[int]]:
    """Contents of photos to be searched that have no vector, a wrong one, a broken thumbnail."""
    no_vector, wrong, dark = [], [], []
    length = records.dimensions * FLOAT16.itemsize
    contents = [id for (id,) in records.rows("SELECT DISTINCT content FROM files WHERE NOT missing ORDER BY content")]
    query = "SELECT thumbnail, vector FROM contents LEFT JOIN vectors ON content = id WHERE id = ?"
    for content in track(contents, "Verifying", len(contents)):
        thumbnail, vector = records.rows(query, (content,))[0]
        if vector is None:
            no_vector.append(content)
        elif len(vector) != length or not _is_unit(vector):
            wrong.append(content)
        if not _is_picture(thumbnail):
            dark.append(content)
    return no_vector, wrong, dark


def _is_unit(vector: bytes) -> bool:
    return bool(abs(np.linalg.norm(np.frombuffer(vector, FLOAT16).astype(np.float64)) - 1) < TOLERANCE)


def _is_picture(content: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
            image.load()
    except Exception:  # any: Pillow raises nearly everything at damaged files
        return False
    return True


def _named(records: Records, contents: list[int], what: str) -> str:
    query = "SELECT path FROM files WHERE content = ? AND NOT missing ORDER BY id LIMIT 1"
    first = [readable(as_path(records.rows(query, (content,))[0][0])) for content in contents[:_NAMED]]
    return f"{len(contents):,} photos {what}: {', '.join(first)}{' …' if len(contents) > _NAMED else ''}"


def _of_the_cache(records: Records) -> list[Problem]:
    """Whether a search in the cache finds the photos that the records have."""
    from lexel.library.index.index_files import STAMP, intact
    from lexel.library.index.vectors import Vectors

    if not records.count:
        return []
    again = "Delete vectors.json in the library's folder: the next search makes the index anew."
    if (records.folder / STAMP).exists() and not intact(records.folder):
        return [Problem("The index of the vectors is damaged.", again)]
    vectors = Vectors.open(records.folder, records)
    ids = records.ids_where("1")
    scores, _ = vectors.search(vectors.vectors_of(ids[:: max(1, len(ids) // _ASKED)]), 1)
    if vectors.count != len(ids) or scores.min() < 1 - TOLERANCE:
        return [Problem("The index of the vectors does not find the photos of the records.", again)]
    return []
