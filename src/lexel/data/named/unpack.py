"""Archives from the web to files, without trust: nothing lands outside the folder, and no bomb fills the disk."""

import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from lexel.errors import DataError

MAX_EXPANSION = 100  # times the size of the archive; pictures and JSON expand less than ten times
MIN_UNPACKED = 64 << 20  # bytes that any archive may unpack to
MAX_MEMBERS = 2_000_000
_CHUNK_BYTES = 1 << 20


def unpack(archive: Path, folder: Path) -> None:
    """The regular files of a tar (gzip too), a zip or a single gzip file, below the folder. Raises DataError."""
    left = [max(MIN_UNPACKED, MAX_EXPANSION * archive.stat().st_size)]
    with _named_faults(archive):
        if archive.suffix == ".zip":
            for name, file in _of_zip(archive):
                _write(archive, folder, name, file, left)
        elif archive.suffix in (".tgz", ".tar") or archive.name.endswith(".tar.gz"):
            for name, file in _of_tar(archive):
                _write(archive, folder, name, file, left)
        else:
            with gzip.open(archive) as file:
                _write(archive, folder, archive.stem, file, left)


@contextmanager
def _named_faults(archive: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, gzip.BadGzipFile) as error:
        raise DataError(f"{archive} is damaged: {error}. Remove it and fetch it again.") from None


def _of_zip(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(archive) as content:
        for number, member in enumerate(content.infolist()):
            _check_count(archive, number)
            if not member.is_dir():
                with content.open(member) as file:
                    yield member.filename, file


def _of_tar(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(archive) as content:
        for number, member in enumerate(content):
            _check_count(archive, number)
            if member.isdir():
                continue
            file = content.extractfile(member) if member.isfile() else None
            if file is None:
                raise DataError(f"{archive} holds a link or a device, {member.name!r}: it was not unpacked.")
            yield member.name, file


def _check_count(archive: Path, number: int) -> None:
    if number >= MAX_MEMBERS:
        raise DataError(f"{archive} holds more than {MAX_MEMBERS:,} files: it was not unpacked.")


def _write(archive: Path, folder: Path, name: str, file: IO[bytes] | gzip.GzipFile, left: list[int]) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in name or "\0" in name or not path.parts:
        raise DataError(f"{archive} holds a file that leads outside of its folder, {name!r}: it was not unpacked.")
    target = folder.joinpath(*path.parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as out:
        while chunk := file.read(_CHUNK_BYTES):
            left[0] -= len(chunk)
            if left[0] < 0:
                raise DataError(f"{archive} unpacks to more than {MAX_EXPANSION} times its size: it was not unpacked.")
            out.write(chunk)
