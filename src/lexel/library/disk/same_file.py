"""Which names may lead to one file, so that whoever deletes one of them deletes the others too.

A pair of device and inode number names a file on a local disk. It does not elsewhere: a share that is mounted twice
has two device numbers, and many network and FUSE file systems make up an inode number for every path. A wrong answer
"these are two files" may cost somebody a picture, so two names count as one file unless something proves otherwise.
The same content is taken for granted; then one file is possible where

| the names lie      | on file systems that keep inode numbers | else                                                  |
|--------------------|-----------------------------------------|-------------------------------------------------------|
| on one device      | same inode                              | same inode, or the same mtime and ctime               |
| on two devices     | same inode and mtime                    | mtimes within 2 s, and ctimes too if of the same kind |

A copy has a ctime of its own, whatever time its maker has given it: so copies on one share count as different files.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from typing import Self

from lexel.library.store.records import Photo

MOUNT_TABLE = Path("/proc/self/mountinfo")  # Linux only; elsewhere no file system is known to keep inode numbers
KEEP_INODE_NUMBERS = frozenset(
    ("ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "jfs", "nilfs2", "bcachefs", "zfs", "tmpfs", "ramfs")
)
TIME_STEP_NS = 2_000_000_000  # the coarsest that a file system keeps times in (FAT)


@dataclass(frozen=True, slots=True)
class NamedFile:
    """What the file system says about the file that a name leads to."""

    device: int
    inode: int
    size: int  # bytes
    mtime_ns: int
    ctime_ns: int
    file_system: str | None  # its kind, such as "ext4"; None where it is unknown

    @property
    def has_lasting_inode(self) -> bool:
        return self.file_system in KEEP_INODE_NUMBERS


class Mounts:
    """Which kind of file system a path lies on."""

    def __init__(self, kinds: dict[str, str]) -> None:
        self._kinds = kinds  # by mount point

    @classmethod
    def read(cls) -> Self:
        """The mounts of this moment; none where the system does not list them."""
        try:
            table = os.fsdecode(MOUNT_TABLE.read_bytes())
        except OSError:
            return cls({})
        kinds = {}
        for line in table.split("\n"):
            place, separator, kind = line.partition(" - ")
            if separator:
                kinds[_unescaped(place.split(" ")[4])] = kind.split(" ")[0]  # a later mount covers an earlier one
        return cls(kinds)

    def kind(self, path: str) -> str | None:
        """The kind of file system, such as "ext4"; None where it is unknown. `path` is absolute, without links."""
        place = path
        while place not in self._kinds and place != "/":
            place = os.path.dirname(place)  # noqa: PTH120
        return self._kinds.get(place)


def look_behind(path: str, mounts: Mounts) -> NamedFile:
    """The file that a name leads to, through all links. Raises OSError when there is none."""
    real = os.path.realpath(path)
    status = os.stat(real)  # noqa: PTH116 - the path may hold bytes that are no UTF-8
    return NamedFile(
        status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, mounts.kind(real)
    )


def may_be_one_file(a: NamedFile, b: NamedFile) -> bool:
    """Whether two names of the same content may lead to one file; see the table above."""
    if a.size != b.size:
        return False
    if a.device == b.device and a.inode == b.inode:
        return True
    if a.has_lasting_inode and b.has_lasting_inode:
        return a.device != b.device and a.inode == b.inode and a.mtime_ns == b.mtime_ns
    if a.device == b.device:
        return (a.mtime_ns, a.ctime_ns) == (b.mtime_ns, b.ctime_ns)
    same_kind = a.file_system is not None and a.file_system == b.file_system
    return _is_near(a.mtime_ns, b.mtime_ns) and (not same_kind or _is_near(a.ctime_ns, b.ctime_ns))


def group_names(photos: Sequence[Photo], files: Sequence[NamedFile]) -> list[list[Photo]]:
    """The photos in groups that may be one file each. `files` are what `look_behind` gave for them, one a photo."""
    group_of = list(range(len(photos)))

    def root(index: int) -> int:
        while group_of[index] != index:
            group_of[index] = group_of[group_of[index]]
            index = group_of[index]
        return index

    first_names: dict[tuple[int, int], int] = {}
    for index, file in enumerate(files):
        group_of[index] = first_names.setdefault((file.device, file.inode), index)
    for first, second in _likely_pairs(first_names.values(), photos, files):
        if root(first) != root(second) and may_be_one_file(files[first], files[second]):
            group_of[root(second)] = root(first)
    groups: dict[int, list[Photo]] = defaultdict(list)
    for index, photo in enumerate(photos):
        groups[root(index)].append(photo)
    return list(groups.values())


def _likely_pairs(
    indices: Iterable[int], photos: Sequence[Photo], files: Sequence[NamedFile]
) -> Iterator[tuple[int, int]]:
    """Of photos of the same content, every pair that may be one file: thousands of copies on a local disk are none."""
    lasting: dict[str, list[int]] = defaultdict(list)
    made_up: dict[str, list[int]] = defaultdict(list)
    by_inode: dict[tuple[str, int], list[int]] = defaultdict(list)
    for index in indices:
        content = photos[index].hash
        if files[index].has_lasting_inode:
            lasting[content].append(index)
            by_inode[content, files[index].inode].append(index)
        else:
            made_up[content].append(index)
    for alike in by_inode.values():
        yield from combinations(alike, 2)
    for content, alike in made_up.items():
        yield from combinations(alike, 2)
        yield from product(alike, lasting[content])


def _is_near(a_ns: int, b_ns: int) -> bool:
    return abs(a_ns - b_ns) <= TIME_STEP_NS


def _unescaped(field: str) -> str:
    """A path of the mount table, which writes blanks and backslashes as three octal digits."""
    parts = field.split("\\")
    return parts[0] + "".join(chr(int(part[:3], 8)) + part[3:] for part in parts[1:])
