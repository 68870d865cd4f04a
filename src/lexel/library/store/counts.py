"""How many photos of what kind the records have."""

from typing import NamedTuple

from lexel.library.store.records import Records

_PRESENT = "FROM files WHERE NOT missing"


class PhotoCounts(NamedTuple):
    """Of the photos to be searched."""

    photos: int
    pictures: int  # distinct contents
    with_caption: int
    with_tags: int
    with_keywords: int  # in the files themselves
    with_date: int
    with_place: int
    first_taken: str | None
    last_taken: str | None
    bytes: int  # of the files


def count_photos(records: Records) -> PhotoCounts:
    """Count the photos to be searched."""
    rows = records.rows(
        f"""SELECT count(*), count(DISTINCT content), count(caption),
        coalesce(sum(tags != '[]' OR label IS NOT NULL), 0), coalesce(sum(keywords != '[]'), 0), count(taken),
        count(latitude), min(taken), max(taken), coalesce(sum(size), 0) {_PRESENT}"""
    )
    return PhotoCounts(*rows[0])


def count_vanished(records: Records) -> int:
    """How many photos have vanished from the disk."""
    return records.rows("SELECT count(*) FROM files WHERE missing")[0][0]


def count_unreadable(records: Records) -> int:
    """How many files could not be read."""
    return records.rows("SELECT count(*) FROM unreadable")[0][0]


def frequent_cameras(records: Records, limit: int) -> list[tuple[str, int]]:
    """The cameras of most photos and how many photos each has, the most frequent first."""
    return records.rows(
        f"""SELECT camera, count(*) AS n {_PRESENT} AND camera IS NOT NULL
        GROUP BY camera ORDER BY n DESC, camera LIMIT ?""",
        (limit,),
    )
