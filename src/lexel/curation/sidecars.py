"""Side-cars: files beside pictures that hold keywords for photo programs (`xmp` has their content).

An edit is worked out first and carried out later, so that it can be noted in between (`label_history`). A side-car that
has changed meanwhile is left alone.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lexel.curation.xmp import add_keywords, is_empty_own, parse_keywords, remove_keywords
from lexel.errors import DataError
from lexel.files import write_atomically
from lexel.library.store.database.paths import readable

MAX_SIDECAR_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that was left alone, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class SidecarEdit:
    """A change of one side-car: its content before and after."""

    path: Path
    before: bytes | None  # None: there is none yet
    after: bytes | None  # None: it is to be deleted
    words: tuple[str, ...]  # that are added, or removed


def sidecar_of(picture: str) -> Path:
    """The side-car that is there, picture.jpg.xmp or picture.xmp, else the first of these names."""
    own, shared = Path(f"{picture}.xmp"), Path(f"{os.path.splitext(picture)[0]}.xmp")  # noqa: PTH122 - of a str
    return shared if shared.exists() and not own.exists() else own


def edit_adding(picture: str, words: Sequence[str]) -> SidecarEdit | SkippedFile | None:
    """The edit that adds keywords to the picture's side-car; None where it has all, or why it cannot be done."""
    return edit_adding_to(sidecar_of(picture), words)


def edit_adding_to(path: Path, words: Sequence[str]) -> SidecarEdit | SkippedFile | None:
    """As `edit_adding`, for a side-car."""
    try:
        before = _read(path)
        known = parse_keywords(before) if before is not None else []
        after = add_keywords(before, words)
    except (DataError, OSError) as error:
        return _skipped(path, error)
    new = tuple(word for word in dict.fromkeys(words) if word not in known)
    return SidecarEdit(path, before, after, new) if new else None


def edit_removing(path: Path, words: Sequence[str]) -> SidecarEdit | SkippedFile | None:
    """The edit that removes keywords from a side-car; None where it has none or is gone, or why it cannot be done.

    One that Lexel made, and in which nothing else is, goes as a whole.
    """
    try:
        before = _read(path)
        if before is None:
            return None
        known = parse_keywords(before)
        after = remove_keywords(before, words)
        found = tuple(word for word in dict.fromkeys(words) if word in known)
        if found and is_empty_own(after):
            after = None
    except (DataError, OSError) as error:
        return _skipped(path, error)
    return SidecarEdit(path, before, after, found) if found else None


def carry_out(edit: SidecarEdit) -> SkippedFile | None:
    """Write or delete the side-car; or why that was not done. Whatever happens, it is whole."""
    try:
        if _read(edit.path) != edit.before:
            return SkippedFile(readable(str(edit.path)), "it was changed by another program just now")
        if edit.after is None:
            edit.path.unlink()
        else:
            write_atomically(edit.path, edit.after)
    except (DataError, OSError) as error:
        return _skipped(edit.path, error)
    return None


def _read(path: Path) -> bytes | None:
    if not path.exists():
        return None
    if not path.is_file():
        raise DataError("it is no regular file")
    if path.stat().st_size > MAX_SIDECAR_BYTES:
        raise DataError(f"larger than {MAX_SIDECAR_BYTES // 2**20} MiB")
    return path.read_bytes()


def _skipped(path: Path, error: Exception) -> SkippedFile:
    reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    return SkippedFile(readable(str(path)), reason)
