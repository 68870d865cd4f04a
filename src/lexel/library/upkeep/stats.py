"""What is in a library, in numbers."""

import os
from dataclasses import dataclass

from lexel.library.store.paths import readable
from lexel.library.store.places import places, stored_patterns
from lexel.library.store.records import Records


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts are of photos unless they say otherwise."""

    photos: int  # to be searched
    pictures: int  # distinct contents among them
    vanished: int
    unreadable: int  # files
    with_caption: int
    with_tags: int
    with_keywords: int  # in the files themselves
    with_date: int
    with_place: int
    first_taken: str | None
    last_taken: str | None
    cameras: list[tuple[str, int]]  # the most frequent
    folders: list[str]  # and sources, that are looked through
    absent_folders: list[str]  # those of them that are not there now
    patterns: dict[str, list[str]]  # of what is left out of a folder
    model: str | None
    fingerprint: str | None
    dimensions: int
    photo_bytes: int
    library_bytes: int


def stats(records: Records) -> Stats:
    """Count what is there."""
    present = "FROM files WHERE NOT missing"
    photos, pictures, captioned, tagged, with_keywords, dated, placed, first, last, size = records.rows(
        f"""SELECT count(*), count(DISTINCT content), count(caption),
        coalesce(sum(tags != '[]' OR label IS NOT NULL), 0), coalesce(sum(keywords != '[]'), 0), count(taken),
        count(latitude), min(taken), max(taken), coalesce(sum(size), 0) {present}"""
    )[0]
    cameras = records.rows(
        f"SELECT camera, count(*) AS n {present} AND camera IS NOT NULL GROUP BY camera ORDER BY n DESC, camera LIMIT 5"
    )
    folders = places(records, "folder", "source")
    return Stats(
        photos=photos,
        pictures=pictures,
        vanished=records.rows("SELECT count(*) FROM files WHERE missing")[0][0],
        unreadable=records.rows("SELECT count(*) FROM unreadable")[0][0],
        with_caption=captioned,
        with_tags=tagged,
        with_keywords=with_keywords,
        with_date=dated,
        with_place=placed,
        first_taken=first,
        last_taken=last,
        cameras=[(camera, count) for camera, count in cameras],
        folders=[readable(path) for path in folders],
        absent_folders=[readable(path) for path in folders if os.path.isabs(path) and not os.path.exists(path)],  # noqa: PTH110, PTH117
        patterns={readable(folder): given for folder, given in stored_patterns(records).items()},
        model=records.model or records.fact("model_name"),
        fingerprint=records.fingerprint,
        dimensions=records.dimensions,
        photo_bytes=size,
        library_bytes=sum(file.stat().st_size for file in records.folder.iterdir() if file.is_file()),
    )
