"""What has changed on the disk since a library was brought up to date: the disk compared with the records.

Only directory entries are read and, in one query, the records: a file whose size and time are known is unchanged.
A file that is not there has vanished only where the disk could be looked at: not below a folder that could not be
read, not on a drive that was there once and is not now, and not where a folder stands as empty as a mount point.
"""

import os
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lexel.data.readers.walk import LeftOut, is_mount
from lexel.library.disk.exclusions import Exclusions
from lexel.library.disk.walk import FoundFile, FoundFolder, look_at, walk
from lexel.library.store.contents import vanished_without_vector
from lexel.library.store.database.paths import is_below, readable
from lexel.library.store.known_files import KnownFile, known_files, unreadable_states
from lexel.library.store.places import places
from lexel.library.store.records import Records
from lexel.progress import track
from lexel.terminal import counted

MAX_VANISHED_SHARE = 0.9  # of a root's photos; when more vanish at once, the user has to confirm it
MIN_PHOTOS_FOR_SHARE = 20  # in a smaller root only the loss of all photos has to be confirmed
MOUNT_FOLDERS = ("/media", "/mnt", "/Volumes", "/run/media", "/net")  # whose folders go with their drives


@dataclass(frozen=True, slots=True)
class Scope:
    """Which folders and files to look at; all paths are absolute."""

    folders: tuple[str, ...] = ()  # with all below them
    files: tuple[str, ...] = ()  # those that are not there have vanished
    vanished_confirmed: bool = False  # also when a root is empty or nearly all of it is gone


@dataclass
class DiskChanges:
    """What is new, changed, back or gone. `Indexing` reads the files of `to_read` and writes all of it down."""

    roots: list[str]  # folders that were ever added
    drives: list[str]  # that were once mounted at or below them
    to_read: list[tuple[FoundFile, KnownFile | None]] = field(default_factory=list)
    unchanged: int = 0
    found: list[int] = field(default_factory=list)  # photos that had vanished and are back as they were
    captions: list[tuple[int, FoundFile]] = field(default_factory=list)  # of photos whose text file is another now
    no_facts: list[tuple[int, str]] = field(default_factory=list)  # (id, path) of unchanged photos
    vanished: dict[int, str] = field(default_factory=dict)
    gone_unreadable: list[str] = field(default_factory=list)  # files that could not be read and are no longer there
    was_unreadable: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)
    tables: dict[str, int] = field(default_factory=dict)  # metadata tables, with their time
    mounts: set[str] = field(default_factory=set)
    problems: list[tuple[str, str]] = field(default_factory=list)  # folders that cannot be read, and why
    kept: list[tuple[str, int]] = field(default_factory=list)  # drives that are away, and how many photos they have
    all_kept: list[str] = field(default_factory=list)  # folders below which no photo counts as vanished
    left_out: LeftOut = field(default_factory=LeftOut)
    excluded: list[int] = field(default_factory=list)  # photos that patterns leave out from now on
    exclude_matches: int = 0  # files and folders that patterns have left out
    root_counts: dict[str, int] = field(default_factory=dict)  # photos known in each root that was looked through
    vanished_confirmed: bool = False


def compare_with_disk(records: Records, scope: Scope) -> DiskChanges:
    """Look through the scope and compare it with the records."""
    disk = DiskChanges(roots=places(records, "folder"), drives=places(records, "mount"))
    exclusions = Exclusions.of(records, disk.roots)
    known = known_files(records, scope.folders, scope.files)
    disk.excluded = [row.id for path, row in known.items() if not row.missing and exclusions.match(path)]
    disk.vanished_confirmed = scope.vanished_confirmed
    disk.root_counts = _root_counts(disk, scope, known)
    disk.was_unreadable = _unreadable(records, scope)
    unseen = dict(disk.was_unreadable)
    no_vector = vanished_without_vector(records)
    with_files: list[str] = []  # folders

    def see(file: FoundFile) -> None:
        unseen.pop(file.path, None)
        _compare(disk, file, known.pop(file.path, None), no_vector)

    folders = exclusions.to_walk(scope.folders)
    for folder in track(walk(folders, exclusions.leave_out), "Looking through folders") if folders else ():
        _note_folder(disk, folder)
        if folder.files:
            with_files.append(folder.path)
        for file in folder.files:
            see(file)
    for path in scope.files:
        if exclusions.match(path):
            exclusions.matches += 1
        elif not exclusions.is_removed(path):
            _look_at(disk, path, see)

    away = _places_away(disk, scope, with_files)
    disk.all_kept = [path for path, _ in disk.problems] + away
    disk.kept = [(path, count) for path in away if (count := sum(is_below(file, path) for file in known))]
    excluded = set(disk.excluded)
    disk.vanished = {
        row.id: path
        for path, row in known.items()
        if not row.missing and row.id not in excluded and not _is_kept(disk, path)
    }
    disk.gone_unreadable = [path for path in unseen if not _is_kept(disk, path)]
    disk.exclude_matches = exclusions.matches
    return disk


def has_left(disk: DiskChanges, path: str, now: str) -> bool:
    """Whether a known photo is no longer at its path, and not because its drive is away. `now` is a file like it."""
    if (os.path.lexists(path) and not _is_respelt(path, now)) or _is_kept(disk, path):
        return False
    above = [place for place in (*disk.roots, *disk.drives) if is_below(path, place)]
    return all(_is_reachable(disk, place) or is_removed(disk, place) for place in above)


def _is_respelt(path: str, now: str) -> bool:
    """Whether `now` is the name that a file has, and `path` finds it only because the file system ignores case.

    Or because it ignores how accents are encoded.
    """
    if path == now or _folded(path) != _folded(now):
        return False
    try:
        same = os.path.samefile(path, now)  # noqa: PTH121
        return same and os.path.basename(path) not in os.listdir(os.path.dirname(path))  # noqa: PTH119, PTH120, PTH208
    except OSError:
        return False


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def is_removed(disk: DiskChanges, root: str) -> bool:
    """Whether a root was moved, renamed or deleted, rather than being away with its drive."""
    if os.path.lexists(root) or any(is_below(root, drive) for drive in disk.drives):
        return False
    ancestor = root
    while not os.path.isdir(ancestor):  # noqa: PTH112
        ancestor = os.path.dirname(ancestor)  # noqa: PTH120
    return not any(is_below(ancestor, folder) for folder in MOUNT_FOLDERS)


def root_away(disk: DiskChanges, path: str) -> str | None:
    """The folder that was added, which a known photo lies below, if that folder is not there now."""
    return next((root for root in disk.roots if is_below(path, root) and not _is_reachable(disk, root)), None)


def doubtful_roots(disk: DiskChanges) -> list[str]:
    """Roots of which all or nearly all photos would vanish at once: more likely a drive that is not mounted."""
    if disk.vanished_confirmed:
        return []
    doubtful = []
    for root, count in disk.root_counts.items():
        vanished = sum(is_below(path, root) for path in disk.vanished.values())
        nearly_all = count >= MIN_PHOTOS_FOR_SHARE and vanished > MAX_VANISHED_SHARE * count
        if vanished and (vanished == count or nearly_all):
            doubtful.append(root)
    return doubtful


def _compare(disk: DiskChanges, file: FoundFile, row: KnownFile | None, no_vector: set[int]) -> None:
    if disk.was_unreadable.get(file.path) == (file.size, file.mtime_ns):
        return
    if row is None or row.id in no_vector:
        disk.to_read.append((file, row))
        return
    if (row.size, row.mtime_ns) != (file.size, file.mtime_ns) or not row.settled:
        disk.to_read.append((file, row))
    else:
        disk.unchanged += not row.missing
        if row.missing:
            disk.found.append(row.id)
        if not row.has_facts:
            disk.no_facts.append((row.id, file.path))
    if row.caption_stamp not in (-1, file.text):
        disk.captions.append((row.id, file))


def _note_folder(disk: DiskChanges, folder: FoundFolder) -> None:
    if folder.problem is not None:
        disk.problems.append((folder.path, folder.problem))
    disk.tables |= folder.tables
    disk.left_out.add(folder.walked)
    if folder.walked.is_mount:
        disk.mounts.add(folder.path)


def _root_counts(disk: DiskChanges, scope: Scope, known: dict[str, KnownFile]) -> dict[str, int]:
    roots = [root for root in disk.roots if any(is_below(root, folder) for folder in scope.folders)]
    excluded = set(disk.excluded)
    present = [path for path, row in known.items() if not row.missing and row.id not in excluded]
    return {root: sum(is_below(path, root) for path in present) for root in roots}


def _unreadable(records: Records, scope: Scope) -> dict[str, tuple[int | None, int | None]]:
    named = set(scope.files)
    return {
        path: state
        for path, state in unreadable_states(records).items()
        if path in named or any(is_below(path, folder) for folder in scope.folders)
    }


def _is_kept(disk: DiskChanges, path: str) -> bool:
    return any(is_below(path, folder) for folder in disk.all_kept)


def _look_at(disk: DiskChanges, path: str, see: Callable[[FoundFile], None]) -> None:
    try:
        file = look_at(path)
    except OSError as error:
        disk.problems.append((path, error.strerror or str(error)))
        return
    if file is not None:
        see(file)


def _places_away(disk: DiskChanges, scope: Scope, with_files: list[str]) -> list[str]:
    """The roots and drives in or above the scope that are not there, or stand as empty as a mount point does."""
    asked = (*scope.folders, *scope.files)
    away = [
        place
        for place in (*disk.roots, *disk.drives)
        if any(is_below(path, place) for path in asked) and not _is_reachable(disk, place)
    ]
    away += [
        drive
        for drive in disk.drives
        if any(is_below(drive, folder) for folder in scope.folders)
        and not (drive in disk.mounts and any(is_below(folder, drive) for folder in with_files))
    ]
    return sorted(set(away))


def _is_reachable(disk: DiskChanges, place: str) -> bool:
    return os.path.isdir(place) and (place not in disk.drives or is_mount(place))  # noqa: PTH112


def describe_absent(folder: str, photos: int, library: Path) -> str:
    """A sentence on a folder that is not there now."""
    return (
        f"{readable(folder)} is not there now; what the library holds of its {counted(photos, 'photo')} is kept. "
        f"If it lies elsewhere: lexel library relocate {library} {readable(folder)} NEW"
    )


def describe_left_out(disk: DiskChanges, library: Path) -> list[str]:
    """Sentences on drives, files and folders that were not looked at."""
    notes = [f"{describe_absent(path, count, library)} (Or its drive is not mounted.)" for path, count in disk.kept]
    if disk.exclude_matches:
        notes.append(f"Left out by --exclude: {counted(disk.exclude_matches, 'file')} and folders")
    if disk.excluded:
        notes.append(f"No longer found, as now left out: {counted(len(disk.excluded), 'photo')} of the library")
    return notes + disk.left_out.notes(readable)
