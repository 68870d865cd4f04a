"""Writing that never leaves half a file: to a temporary name beside the target, flushed, then renamed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from lexel.errors import UsageError

UNFINISHED = ".tmp"


def make_folder(path: Path) -> None:
    """Make the folder and those above it where they are missing. Raises UsageError when a file is in the way."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"Cannot make the folder {path}: {error.strerror}. Give another --output.") from None


def check_new_file(path: Path) -> None:
    """Raise UsageError where no file of that name can be: for want of the folder, or because it is one.

    Call it before long work; `new_file` does so by itself.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder. Give the name of a file.")
    if not path.parent.is_dir():
        raise UsageError(f"There is no folder {path.parent} to write {path.name} into. Make it first, or name another.")


def write_atomically(path: Path, content: bytes | str) -> None:
    """Replace `path` by `content` whole or not at all.

    Raises OSError (a full disk, say), the old file untouched, or UsageError where no such file can be.
    """
    with new_file(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a name to write to; that file takes the place of `path` when the block ends well, else `path` stays.

    Raises UsageError where no such file can be (`check_new_file`).
    """
    check_new_file(path)
    # Chance tells apart what threads write at once, and machines that share a disk, where process numbers are equal.
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{token_hex(4)}{UNFINISHED}")
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        _name_target(error, path)
        raise
    _flush_folder(path.parent)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `path` when the block ends well; else `path` stays as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{UNFINISHED}")
    previous = path.with_name(f".{path.name}.{os.getpid()}.old")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _flush(file)
        if path.exists():
            path.replace(previous)
        temporary.replace(path)
    except BaseException as error:
        if previous.exists() and not path.exists():
            previous.replace(path)
        shutil.rmtree(temporary, ignore_errors=True)
        _name_target(error, path)
        raise
    _flush_folder(path.parent)
    shutil.rmtree(previous, ignore_errors=True)


def remove_unfinished(folder: Path) -> None:
    """Remove what processes that were killed left half written in `folder`; call it when nobody writes there."""
    for leftover in folder.glob(f".*{UNFINISHED}"):
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


def _name_target(error: BaseException, path: Path) -> None:
    """Let the error tell of the file that the user knows, not of a temporary one, or of none as a full disk does."""
    if isinstance(error, OSError):
        error.filename = str(path)


def _flush(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _flush_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
