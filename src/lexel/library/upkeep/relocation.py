"""A folder of a library that lies elsewhere now: its paths are rewritten, and nothing is embedded.

Each photo is looked for at its new place first: one of the same size and time is found, one of the same size and
another time is found if its content has the same hash. Where most are not found the new place is likely a wrong one,
or a drive that is not mounted, and nothing is written.
"""

import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lexel.data.readers.walk import is_mount
from lexel.errors import UsageError
from lexel.library.disk.present import hash_of
from lexel.library.store.changes import Changes, FileState
from lexel.library.store.database.locking import only_writer
from lexel.library.store.database.paths import absolute, is_below, readable, rebased
from lexel.library.store.places import places
from lexel.library.store.records import Photo, Records
from lexel.progress import track

MIN_FOUND_SHARE = 0.5  # of the photos; below it nothing is written unless forced
_NAMED_FOLDERS = 5  # in an error


@dataclass(frozen=True, slots=True)
class Relocation:
    """What became of the photos of a folder that has moved."""

    photos: int  # that the library has of the old place
    found: int  # at the new place, with the same content
    changed: int  # another file is there; the next `lexel index` embeds it
    missing: int  # nothing is there; the next `lexel index` says that they have vanished
    joined: int  # of those found: the library had an entry for the new path, which is now one with the old entry
    written: bool  # False: the library is as it was


@dataclass(frozen=True, slots=True)
class _Move:
    photo: Photo
    target: str
    outcome: Literal["found", "changed", "missing"]
    state: FileState | None = None  # of a file that has kept its content but not its time


def relocate(
    records: Records, old: str | Path, new: str | Path, *, dry_run: bool = False, force: bool = False
) -> Relocation:
    """Rewrite the paths at and below `old`, a folder or file as the library knows it, to lie at and below `new`.

    Photos keep their numbers, tags and captions. With `dry_run`, and without `force` where fewer than half of the
    photos are found, the library stays as it is: see `Relocation.written`. Raises UsageError where the library has
    nothing of `old`, and where there is no `new`.

    Example: `relocate(records, "/media/me/usb/Pictures", "~/Pictures").found`
    """
    before, after = absolute(old), absolute(new)
    with only_writer(records.folder):
        _check(records, before, after)
        photos = records.photos(records.ids_of(before))
        moves = [_look(photo, rebased(photo.path, before, after)) for photo in track(photos, "Looking", len(photos))]
        counts = {
            outcome: sum(move.outcome == outcome for move in moves) for outcome in ("found", "changed", "missing")
        }
        result = Relocation(len(photos), joined=0, written=False, **counts)
        if dry_run or (result.found < MIN_FOUND_SHARE * len(photos) and not force):
            return result
        # A file may move to where another has yet to leave: the deepest leave first when all become deeper.
        moves.sort(key=lambda move: move.photo.path.count("/"), reverse=is_below(after, before))
        joined = _write(records, moves, before, after)
    return replace(result, joined=joined, written=True)


def _check(records: Records, before: str, after: str) -> None:
    if before == after:
        raise UsageError(f"{readable(before)} is both the old place and the new one. Give two: OLD NEW")
    known = places(records, "folder", "source")
    if not records.ids_of(before) and not any(is_below(place, before) for place in known):
        few = "\n".join(f"  {readable(place)}" for place in known[:_NAMED_FOLDERS])
        raise UsageError(f"{records.folder} has nothing of {readable(before)}. What was added:\n{few or '  nothing'}")
    if not os.path.exists(after):  # noqa: PTH110
        raise UsageError(f"There is no {readable(after)}. Is its drive mounted?")


def _look(photo: Photo, target: str) -> _Move:
    try:
        status = os.stat(target)  # noqa: PTH116 - the path may hold bytes that are no UTF-8
    except OSError:
        return _Move(photo, target, "missing")
    if not stat.S_ISREG(status.st_mode) or status.st_size != photo.size:
        return _Move(photo, target, "changed")
    if status.st_mtime_ns == photo.mtime_ns:
        return _Move(photo, target, "found")
    try:
        same = hash_of(target) == photo.hash
    except OSError:
        same = False
    if not same:
        return _Move(photo, target, "changed")
    return _Move(photo, target, "found", FileState.of(status))


def _write(records: Records, moves: list[_Move], before: str, after: str) -> int:
    """Returns how many entries became one with another."""
    joined = 0
    with records.changing() as changes:
        for move in moves:
            id, there = move.photo.id, changes.id_at(move.target)
            if there is not None and move.outcome != "found":
                changes.mark_missing([id])  # the entry of that path knows its file; this one's is gone
                continue
            if there is not None:
                changes.take_over(id, there)
                joined += 1
            changes.rename_file(id, move.target)
            if move.state is not None:
                changes.touch_file(id, move.state)
            if move.outcome == "found":
                changes.mark_found([id])
        _write_places(records, changes, before, after)
        changes.drop_orphans()
    return joined


def _write_places(records: Records, changes: Changes, before: str, after: str) -> None:
    mounts = [rebased(mount, before, after) for mount in changes.forget_mounts(before)]
    changes.relocate_places(before, after)
    for mount in filter(is_mount, mounts):
        changes.add_place(mount, "mount")
    known = places(records, "folder", "source")
    if Path(after).is_dir() and not any(is_below(after, place) for place in known):
        changes.add_place(after, "folder")
