"""Whether a photo of the library is on the disk at this moment, as the library knows it.

Records may be days old. A verb that calls a file surplus, copies it, links it or prints its path for other programs
asks here first: a file that is absent or has changed since it was indexed is no copy of anything.
"""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from typing import Literal

from lexel.library.store.records import Photo

Absence = Literal["gone", "changed", "unreadable"]


def is_present(photo: Photo) -> bool:
    """Whether the photo's file is there, of the size and time that the library knows. Opens no file.

    Example: `[photo.path for photo in photos if is_present(photo)]`
    """
    return why_absent(photo) is None


def why_absent(photo: Photo, *, hashed: bool = False) -> Absence | None:
    """Why the photo's file is not there as the library knows it; None when it is.

    Compares size and time; with `hashed` the file is read and its content compared as well, which no restored time
    can deceive.
    """
    try:
        status = os.stat(photo.path)  # noqa: PTH116 - the path may hold bytes that are no UTF-8
    except FileNotFoundError:
        return "gone"
    except OSError:
        return "gone" if not os.path.lexists(photo.path) else "unreadable"
    if not stat.S_ISREG(status.st_mode):
        return "changed"
    if (status.st_size, status.st_mtime_ns) != (photo.size, photo.mtime_ns):
        return "changed"
    if not hashed:
        return None
    try:
        return None if hash_of(photo.path) == photo.hash else "changed"
    except OSError:
        return "unreadable"


def hash_of(path: str) -> str:
    """The hash of a file's content, as `Photo.hash` has it. Reads the file. Raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def only_present(photos: Iterable[Photo]) -> Iterator[Photo]:
    """Those of the photos whose files are there now, in their order."""
    return (photo for photo in photos if is_present(photo))
