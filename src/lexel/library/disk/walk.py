"""The picture files below some folders with their sizes and times: the walk of the data readers, and a stat of each."""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from lexel.data.readers.walk import NOT_THERE, Entry, IsExcluded, WalkedFolder, walk_folders
from lexel.library.store.database.schema import DATABASE


@dataclass(slots=True)
class FoundFile:
    """A picture file."""

    path: str
    size: int  # bytes
    mtime_ns: int
    text: int = 0  # mtime_ns of the text file beside it that has its caption; 0: there is none


@dataclass(slots=True)
class FoundFolder:
    """What one folder holds. Where there is a `problem`, some of it may be missing here."""

    walked: WalkedFolder
    files: list[FoundFile] = field(default_factory=list)
    tables: dict[str, int] = field(default_factory=dict)  # metadata tables, with their mtime_ns
    problem: str | None = None

    @property
    def path(self) -> str:
        return self.walked.path


def walk(roots: Iterable[str], is_excluded: IsExcluded | None = None) -> Iterator[FoundFolder]:
    """Every folder at and below the absolute paths, but for libraries."""
    for walked in walk_folders(roots, is_excluded, unless_it_has=DATABASE):
        found = FoundFolder(walked, problem=walked.problem)
        for entry in walked.pictures:
            status = _status(entry, found)
            if status is not None:
                text = walked.texts.get(entry.name.rpartition(".")[0])
                text_status = None if text is None else _status(text, found)
                stamp = 0 if text_status is None else text_status.st_mtime_ns
                found.files.append(FoundFile(entry.path, status.st_size, status.st_mtime_ns, stamp))
        for entry in walked.tables:
            status = _status(entry, found)
            if status is not None:
                found.tables[entry.path] = status.st_mtime_ns
        yield found


def look_at(path: str) -> FoundFile | None:
    """The file as `walk` gives it; None where there is no file. Raises OSError where the path may not be read."""
    status = _regular(path)
    if status is None:
        return None
    stem = path.rpartition(".")[0]
    text = _regular(f"{stem}.txt") or _regular(f"{stem}.TXT")
    return FoundFile(path, status.st_size, status.st_mtime_ns, text.st_mtime_ns if text else 0)


def _status(entry: Entry, found: FoundFolder) -> os.stat_result | None:
    try:
        return entry.stat()
    except OSError as error:
        if error.errno not in NOT_THERE:
            found.problem = error.strerror or str(error)
        return None


def _regular(path: str) -> os.stat_result | None:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError as error:
        if error.errno in NOT_THERE:
            return None
        raise
    return status if stat.S_ISREG(status.st_mode) else None
