"""Which picture files lie below some folders, told from directory entries alone: no file is opened.

Hidden files, libraries and folders of thumbnails are left out, raw pictures and videos are counted. Links are followed
but no folder is walked twice: what links to a folder comes after all real ones, so that a picture's path is the one
without links where there is one.
"""

import errno
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from lexel.data.readers.folder import METADATA, PASSED_OVER
from lexel.data.readers.paths import has_image_extension, is_cache_folder
from lexel.library.store.paths import with_slash
from lexel.library.store.schema import DATABASE

Entry = os.DirEntry[str]
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


@dataclass(slots=True)
class FoundFile:
    """A picture file."""

    path: str
    size: int
    mtime_ns: int
    text: int = 0  # mtime_ns of the text file beside it that has its caption; 0: there is none


@dataclass(slots=True)
class FoundFolder:
    """What one folder holds; with a problem, not all of it can be told."""

    path: str
    files: list[FoundFile] = field(default_factory=list)
    tables: dict[str, int] = field(default_factory=dict)  # metadata tables, with their mtime_ns
    caches: list[str] = field(default_factory=list)  # folders of thumbnails in it, which are left out
    not_taken: list[str] = field(default_factory=list)  # suffixes of raw pictures and videos, one a file
    is_mount: bool = False  # another file system than the folder that it lies in
    problem: str | None = None


def walk(roots: Iterable[str], excluded: Collection[str] = ()) -> Iterator[FoundFolder]:
    """Every folder at and below the absolute paths, but for the excluded folders and files."""
    seen: set[tuple[int, int]] = set()
    waiting = [(root, _device_above(root)) for root in sorted(roots, reverse=True)]
    links: list[tuple[str, int]] = []
    while waiting or links:
        path, device_above = waiting.pop() if waiting else links.pop(0)
        try:
            status = os.stat(path)  # noqa: PTH116 - paths are strings here: Path costs more than the walk
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(path) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            if error.errno not in _NOT_THERE:
                yield FoundFolder(path, problem=error.strerror or str(error))
            continue
        if any(entry.name == DATABASE for entry in entries):
            continue
        found, folders = _look(path, entries, excluded)
        found.is_mount = status.st_dev != device_above
        for entry in reversed(folders):
            (links if entry.is_symlink() else waiting).append((f"{with_slash(path)}{entry.name}", status.st_dev))
        yield found


def look_at(path: str) -> FoundFile | None:
    """What `walk` would tell of one file; None where there is none. Raises OSError where nobody may look."""
    status = _regular(path)
    if status is None:
        return None
    text = _regular(f"{path.rpartition('.')[0]}.txt")
    return FoundFile(path, status.st_size, status.st_mtime_ns, text.st_mtime_ns if text else 0)


def is_mount(path: str) -> bool:
    """Whether a folder is there and lies on another file system than the one above it."""
    try:
        return os.stat(path).st_dev != _device_above(path)  # noqa: PTH116
    except OSError:
        return False


def _look(path: str, entries: list[Entry], excluded: Collection[str]) -> tuple[FoundFolder, list[Entry]]:
    found, folders, prefix = FoundFolder(path), [], with_slash(path)
    texts = {entry.name[:-4]: entry for entry in entries if entry.name.lower().endswith(".txt")}
    for entry in entries:
        name = entry.name
        if name.startswith(".") or (excluded and f"{prefix}{name}" in excluded):
            continue
        try:
            if entry.is_dir():
                if is_cache_folder(name):
                    found.caches.append(f"{prefix}{name}")
                else:
                    folders.append(entry)
            elif os.path.splitext(name)[1].lower() in PASSED_OVER:  # noqa: PTH122
                found.not_taken.append(os.path.splitext(name)[1].lower())  # noqa: PTH122
            elif has_image_extension(name) and entry.is_file():
                status = entry.stat()
                text = texts.get(name.rpartition(".")[0])
                stamp = text.stat().st_mtime_ns if text is not None else 0
                found.files.append(FoundFile(f"{prefix}{name}", status.st_size, status.st_mtime_ns, stamp))
            elif name in METADATA and entry.is_file():
                found.tables[f"{prefix}{name}"] = entry.stat().st_mtime_ns
        except OSError as error:
            if error.errno not in _NOT_THERE:
                found.problem = error.strerror or str(error)
    return found, folders


def _regular(path: str) -> os.stat_result | None:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError as error:
        if error.errno in _NOT_THERE:
            return None
        raise
    return status if stat.S_ISREG(status.st_mode) else None


def _device_above(path: str) -> int:
    try:
        return os.stat(os.path.dirname(os.path.realpath(path))).st_dev  # noqa: PTH116, PTH120
    except OSError:
        return 0
