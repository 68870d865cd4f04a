"""What is in a library, in numbers."""

import os
from dataclasses import dataclass

from lexel.library.store.counts import count_photos, count_unreadable, count_vanished, frequent_cameras
from lexel.library.store.database.paths import readable
from lexel.library.store.places import places, stored_patterns
from lexel.library.store.records import Records

MAX_CAMERAS = 5


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
    counts = count_photos(records)
    folders = places(records, "folder", "source")
    return Stats(
        photos=counts.photos,
        pictures=counts.pictures,
        vanished=count_vanished(records),
        unreadable=count_unreadable(records),
        with_caption=counts.with_caption,
        with_tags=counts.with_tags,
        with_keywords=counts.with_keywords,
        with_date=counts.with_date,
        with_place=counts.with_place,
        first_taken=counts.first_taken,
        last_taken=counts.last_taken,
        cameras=frequent_cameras(records, MAX_CAMERAS),
        folders=[readable(path) for path in folders],
        absent_folders=[readable(path) for path in folders if os.path.isabs(path) and not os.path.exists(path)],  # noqa: PTH110, PTH117
        patterns={readable(folder): given for folder, given in stored_patterns(records).items()},
        model=records.model or records.fact("model_name"),
        fingerprint=records.fingerprint,
        dimensions=records.dimensions,
        photo_bytes=counts.bytes,
        library_bytes=sum(file.stat().st_size for file in records.folder.iterdir() if file.is_file()),
    )
