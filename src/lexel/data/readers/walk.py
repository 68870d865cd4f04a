"""Which pictures, texts and tables lie below some folders, told from directory entries alone: no file is opened.

Hidden files and folders of thumbnails are left out, raw pictures and videos are counted. Links are followed but no
folder is walked twice: what links to a folder comes after all real ones, so that a picture's path is the one without
links where there is one. Only regular files are taken; what has a picture's name and is none is passed over and named.
"""

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from lexel.data.readers.paths import has_image_extension, is_cache_folder
from lexel.terminal import counted

# RAW photos and videos: people take them for pictures that are read.
RAW_AND_VIDEO_SUFFIXES = frozenset(
    (
        *(".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".dng", ".orf", ".rw2", ".raf", ".pef"),
        *(".raw", ".rwl", ".srw", ".x3f", ".mov", ".mp4", ".m4v", ".avi", ".mkv", ".webm", ".3gp", ".mts"),
    )
)
METADATA = ("metadata.csv", "metadata.tsv", "metadata.jsonl", "metadata.parquet")
NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
MAX_PATHS_NAMED = 3  # in one note
MAX_SUFFIXES_NAMED = 6

Entry = os.DirEntry[str]
IsExcluded = Callable[[str, bool], bool]  # (path, whether it is a folder), asked for what lies in a walked folder


@dataclass(slots=True)
class WalkedFolder:
    """What one folder holds; with a problem, not all of it can be told."""

    path: str
    pictures: list[Entry] = field(default_factory=list)  # by name
    texts: dict[str, Entry] = field(default_factory=dict)  # .txt files, by their name without it
    tables: list[Entry] = field(default_factory=list)  # metadata.csv and the like
    caches: list[str] = field(default_factory=list)  # folders of thumbnails, which are left out
    not_taken: list[str] = field(default_factory=list)  # suffixes of raw pictures and videos, one a file
    passed_over: list[tuple[str, str]] = field(default_factory=list)  # (path, reason) of what is no regular file
    is_mount: bool = False  # another file system than the folder that it lies in
    problem: str | None = None


@dataclass(slots=True)
class LeftOut:
    """What a walk did not take, to be told to the user."""

    caches: list[str] = field(default_factory=list)
    not_taken: Counter[str] = field(default_factory=Counter)  # by suffix
    passed_over: list[tuple[str, str]] = field(default_factory=list)

    def add(self, folder: WalkedFolder) -> None:
        self.caches += folder.caches
        self.not_taken.update(folder.not_taken)
        self.passed_over += folder.passed_over

    def notes(self, readable: Callable[[str], str]) -> list[str]:
        """A line for each kind; `readable` makes a path fit for people."""
        notes = []
        if self.caches:
            notes.append(
                f"Left out as thumbnails or trash: {counted(len(self.caches), 'folder')}, {_few(self.caches, readable)}"
            )
        if self.not_taken:
            kinds = ", ".join(f"{suffix} {n:,}" for suffix, n in self.not_taken.most_common(MAX_SUFFIXES_NAMED))
            notes.append(
                f"{self.not_taken.total():,} RAW photos and videos passed over ({kinds}): convert the RAW ones to JPEG"
            )
        reasons: dict[str, list[str]] = {}
        for path, reason in self.passed_over:
            reasons.setdefault(reason, []).append(path)
        notes += [f"{len(paths):,} passed over, {reason}: {_few(paths, readable)}" for reason, paths in reasons.items()]
        return notes


def walk_folders(
    roots: Iterable[str], is_excluded: IsExcluded | None = None, *, unless_it_has: str | None = None
) -> Iterator[WalkedFolder]:
    """Every folder at and below the paths, but for those that have a file of the name `unless_it_has`.

    What is not there holds nothing; what may not be read has a problem.

    Example: `[entry.path for folder in walk_folders(["photos"]) for entry in folder.pictures]`
    """
    seen: set[tuple[int, int]] = set()
    waiting = [(root, _device_above(root)) for root in sorted(roots, reverse=True)]
    links: list[tuple[str, int]] = []
    while waiting or links:
        is_link = not waiting
        path, device_above = links.pop(0) if is_link else waiting.pop()
        try:
            status = os.stat(path)  # noqa: PTH116 - paths are strings here: Path costs more than the walk
            if (status.st_dev, status.st_ino) in seen:
                if is_link:
                    yield WalkedFolder(path, passed_over=[(path, "links to folders that are looked through already")])
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(path) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            if error.errno not in NOT_THERE:
                yield WalkedFolder(path, problem=error.strerror or str(error))
            continue
        if unless_it_has is not None and any(entry.name == unless_it_has for entry in entries):
            continue
        found, folders = _look(path, entries, is_excluded)
        found.is_mount = status.st_dev != device_above
        for entry in reversed(folders):
            (links if entry.is_symlink() else waiting).append((entry.path, status.st_dev))
        yield found


def is_mount(path: str) -> bool:
    """Whether a folder is there and lies on another file system than the one above it."""
    try:
        return os.stat(path).st_dev != _device_above(path)  # noqa: PTH116
    except OSError:
        return False


def _look(path: str, entries: list[Entry], is_excluded: IsExcluded | None) -> tuple[WalkedFolder, list[Entry]]:
    found, folders = WalkedFolder(path), []
    for entry in entries:
        if entry.name.startswith("."):
            continue
        try:
            is_folder = entry.is_dir()
            if not is_folder and not _has_use(entry.name):
                continue
            if is_excluded is not None and is_excluded(entry.path, is_folder):
                continue
            if not is_folder:
                _take_file(found, entry)
            elif is_cache_folder(entry.name):
                found.caches.append(entry.path)
            else:
                folders.append(entry)
        except OSError as error:
            if error.errno == errno.ELOOP:
                found.passed_over.append((entry.path, "links in a circle"))
            elif error.errno not in NOT_THERE:
                found.problem = error.strerror or str(error)
    return found, folders


def _has_use(name: str) -> bool:
    return has_image_extension(name) or name in METADATA or _suffix(name) in RAW_AND_VIDEO_SUFFIXES | {".txt"}


def _take_file(found: WalkedFolder, entry: Entry) -> None:
    suffix = _suffix(entry.name)
    if not entry.is_file():
        if has_image_extension(entry.name):
            reason = "links to what is not there" if entry.is_symlink() else "not regular files"
            found.passed_over.append((entry.path, reason))
    elif suffix in RAW_AND_VIDEO_SUFFIXES:
        found.not_taken.append(suffix)
    elif suffix == ".txt":
        found.texts[entry.name[: -len(suffix)]] = entry
    elif entry.name in METADATA:
        found.tables.append(entry)
    else:
        found.pictures.append(entry)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122


def _few(paths: list[str], readable: Callable[[str], str]) -> str:
    return ", ".join(map(readable, paths[:MAX_PATHS_NAMED])) + (" …" if len(paths) > MAX_PATHS_NAMED else "")


def _device_above(path: str) -> int:
    try:
        return os.stat(os.path.dirname(os.path.realpath(path))).st_dev  # noqa: PTH116, PTH120
    except OSError:
        return 0
