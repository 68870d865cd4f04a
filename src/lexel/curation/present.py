"""Which photos of a library a job may work on: those that are on the disk at this moment, as the library knows them.

Records may be days old. A photo that is gone or has changed since it was indexed is neither listed, labelled, copied
nor linked: its vector is of a picture that is not there. It is counted and named instead.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from lexel.library.disk.present import why_absent
from lexel.library.index.vectors import Vectors
from lexel.library.store.records import Photo
from lexel.progress import say
from lexel.terminal import counted

if TYPE_CHECKING:
    from lexel.library.library import Library

PHOTOS_AT_ONCE = 1000  # read from the records at a time
NAMED_PHOTOS = 3  # of the absent ones, in the note


def present_ids(library: "Library") -> np.ndarray:
    """Ids (N,) int64, ascending, of the photos that are on the disk now. Says how many are not, and names the first.

    Example: `len(present_ids(library))`
    """
    present: list[int] = []
    absent: list[Photo] = []
    for photo in searched_photos(library):
        if why_absent(photo):
            absent.append(photo)
        else:
            present.append(photo.id)
    if absent:
        say(absent_note(library, absent))
    return np.array(present, np.int64)


def blocks_among(vectors: Vectors, ids: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Ids (n,) and float32 unit vectors (n, D) of the photos `ids`, a block at a time."""
    for block, block_vectors in vectors.blocks():
        kept = np.isin(block, ids, assume_unique=True)
        yield block[kept], block_vectors[kept]


def searched_photos(library: "Library") -> Iterator[Photo]:
    """Every photo that the library searches, in the order of their ids."""
    ids = library.vectors.ids.tolist()
    for start in range(0, len(ids), PHOTOS_AT_ONCE):
        yield from library.records.photos(ids[start : start + PHOTOS_AT_ONCE])


def absent_note(library: "Library", absent: list[Photo]) -> str:
    """A note for the user on photos that are left out."""
    names = ", ".join(photo.shown for photo in absent[:NAMED_PHOTOS])
    more = f" and {len(absent) - NAMED_PHOTOS:,} more" if len(absent) > NAMED_PHOTOS else ""
    subject = counted(len(absent), "photo is", "photos are")
    return (
        f"{subject} left out, not on the disk as the library knows them: {names}{more}.\n"
        f"Bring it up to date: lexel index {library.path}"
    )
