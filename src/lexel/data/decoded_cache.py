"""Decoded pictures, kept for later epochs and shared by all processes that make batches: uint8, before augmentation.

They lie in one file without a name, in memory or in a folder, which goes when the last process that has it open ends,
killed or not. Each process fills stretches of its own. An entry of the table says where a picture lies; its first field
is written last, so that another process finds a whole picture or none. What does not fit is decoded each time: a cache
changes speed only.
"""

import atexit
import fcntl
import mmap
import os
import struct
import sys
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lexel.errors import UsageError

GB = 10**9
STRETCH = 32 << 20  # bytes that a process takes at a time, or a 64th of all
_HEAD = mmap.ALLOCATIONGRANULARITY  # bytes before the table: the first is where the next stretch begins
_ENTRY = struct.Struct("<QQII8x")  # where, hash of the file, width, height


class DecodedCache:
    """Room for `capacity` bytes of pictures of sources of these sizes, in memory or, where one is named, in a folder.

    Raises UsageError where there is no such room.
    """

    def __init__(self, capacity: int, sizes: Sequence[int], folder: Path | None = None) -> None:
        self._starts = np.concatenate([[0], np.cumsum(sizes)])
        self._capacity = _whole_pages(_HEAD + int(self._starts[-1]) * _ENTRY.size) + capacity
        if folder is None:
            _check_memory(capacity)
        self._path, self._file = _nameless_file(folder)
        try:
            os.ftruncate(self._file, self._capacity)
        except OSError as error:
            raise UsageError(
                f"There is no memory or disk space for {capacity / GB:g} GB of pictures: {error.strerror}."
            ) from None
        os.pwrite(self._file, struct.pack("<Q", self._capacity - capacity), 0)
        self._map_file()

    def _map_file(self) -> None:
        weakref.finalize(self, os.close, self._file)
        self._map = mmap.mmap(self._file, self._capacity)
        self._next = self._end = 0  # of this process's stretch
        self._owner = os.getpid()
        self._full = False

    def __getstate__(self) -> tuple[str, np.ndarray, int]:
        return self._path, self._starts, self._capacity  # a spawned worker opens the file by the path to it

    def __setstate__(self, state: tuple[str, np.ndarray, int]) -> None:
        self._path, self._starts, self._capacity = state
        self._file = os.open(self._path, os.O_RDWR)
        self._map_file()

    def find(self, source: int, index: int) -> tuple[np.ndarray, int] | None:
        """The decoded picture, (height, width, 3) uint8, and the hash of its file, if it is here."""
        entry = os.pread(self._file, _ENTRY.size, self._entry(source, index))
        where, picture_hash, width, height = _ENTRY.unpack(entry)
        if not where or not 0 < 3 * width * height <= self._capacity - where:
            return None
        pixels = np.frombuffer(self._map, np.uint8, 3 * width * height, where)
        return pixels.reshape(height, width, 3), picture_hash

    def add(self, source: int, index: int, picture: np.ndarray, picture_hash: int) -> None:
        """Keep a picture, (height, width, 3) uint8, if there is room."""
        height, width, _ = picture.shape
        where = self._take(picture.size)
        if where is None:
            return
        entry = _ENTRY.pack(where, picture_hash, width, height)
        try:
            os.pwrite(self._file, np.ascontiguousarray(picture).data, where)
            os.pwrite(self._file, entry[8:], self._entry(source, index) + 8)
            os.pwrite(self._file, entry[:8], self._entry(source, index))
        except OSError:  # the disk is full
            self._full = True

    def _entry(self, source: int, index: int) -> int:
        return _HEAD + (int(self._starts[source]) + index) * _ENTRY.size

    def _take(self, size: int) -> int | None:
        """Where that many bytes may be written; None where there is no room."""
        if os.getpid() != self._owner:  # forked: the stretch is the other's
            self._owner, self._next, self._end, self._full = os.getpid(), 0, 0, False
        if self._full:
            return None
        if self._next + size > self._end:
            self._next, self._end = self._stretch(max(size, min(STRETCH, self._capacity // 64)))
            if self._next + size > self._end:
                self._full = True
                return None
        self._next += size
        return self._next - size

    def _stretch(self, size: int) -> tuple[int, int]:
        """Start and end of a stretch that no other process has."""
        fcntl.lockf(self._file, fcntl.LOCK_EX, 8)
        try:
            start: int = struct.unpack("<Q", os.pread(self._file, 8, 0))[0]
            end = min(start + size, self._capacity)
            os.pwrite(self._file, struct.pack("<Q", end), 0)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 8)
        return start, end


def _nameless_file(folder: Path | None) -> tuple[str, int]:
    """A path by which other processes can open it while this one lives, and the open file."""
    if folder is None and hasattr(os, "memfd_create"):
        file = os.memfd_create("lexel-decoded")
        return f"/proc/{os.getpid()}/fd/{file}", file
    if folder is not None and not folder.is_dir():
        raise UsageError(f"There is no folder {folder} for decoded pictures. Make it first, or name another.")
    try:
        file, path = tempfile.mkstemp(prefix=".decoded-", suffix=".tmp", dir=folder)
    except OSError as error:
        raise UsageError(f"Decoded pictures cannot be kept in {folder}: {error.strerror}.") from None
    if sys.platform == "linux":
        Path(path).unlink()
        return f"/proc/{os.getpid()}/fd/{file}", file
    atexit.register(Path(path).unlink, missing_ok=True)
    return path, file


def _check_memory(capacity: int) -> None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:  # not Linux
        return
    free = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)
    if free is not None and capacity > free:
        raise UsageError(
            f"data.decoded_cache_gb = {capacity / GB:g} is more than the {free / GB:.1f} GB of memory that are free.\n"
            "  Lower it, or keep the pictures on a disk: --set data.decoded_cache_folder=FOLDER"
        )


def _whole_pages(size: int) -> int:
    return -(-size // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
