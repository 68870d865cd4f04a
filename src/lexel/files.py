"""Writing that never leaves half a file: to a temporary name beside the target, flushed, then renamed."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

from lexel.errors import ModelError, UsageError

UNFINISHED = ".tmp"
MAX_JSON_BYTES = 64 << 20  # of what describes a model; the largest known, a vocabulary, has 18 million


def cache_folder() -> Path:
    """Lexel's own cache: LEXEL_CACHE, or below XDG_CACHE_HOME, or below ~/.cache."""
    if own := os.environ.get("LEXEL_CACHE"):
        return Path(own).expanduser()
    return cache_home() / "lexel"


def cache_home() -> Path:
    """Where programs keep what they can make or fetch again: XDG_CACHE_HOME, or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()


def make_folder(path: Path) -> None:
    """Make the folder and those above it where they are missing. Raises UsageError when a file is in the way."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"Cannot make the folder {path}: {error.strerror}. Give another --output.") from None


def check_makeable(path: Path) -> None:
    """Raise UsageError, before any work, where `make_folder` could not make the folder: a file is in the way."""
    above = path.absolute()
    nearest = next(folder for folder in (above, *above.parents) if folder.exists())
    if not nearest.is_dir():
        raise UsageError(f"Cannot make the folder {path}: {nearest} is a file. Give another --output.")


def check_folder_above(path: Path) -> None:
    """Raise UsageError where the folder that `path` is to be made in is missing.

    For copies of pictures: a drive that is not mounted must not be filled on the disk below it.
    """
    if not path.absolute().parent.is_dir():
        raise UsageError(f"There is no folder {path.parent} to make {path.name} in. Make it first, or name another.")


def check_new_file(path: Path) -> None:
    """Raise UsageError where no file of that name can be: for want of the folder, or because it is one.

    Call it before long work; `new_file` does so too.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder. Give the name of a file.")
    if not path.parent.is_dir():
        raise UsageError(f"There is no folder {path.parent} to write {path.name} into. Make it first, or name another.")


def is_replaceable(folder: Path, marker: str) -> bool:
    """Whether `folder` is new, empty, or holds the file `marker`, by which the kind that is written there is known."""
    return not folder.exists() or (folder / marker).is_file() or (folder.is_dir() and not any(folder.iterdir()))


def check_replaceable(folder: Path, marker: str) -> None:
    """Raise UsageError where something is at `folder` that is not of the kind that is to be written there."""
    if not is_replaceable(folder, marker):
        raise UsageError(f"{folder} exists and is no folder of this kind (it has no {marker}). Give another name.")


def write_atomically(path: Path, content: bytes | str) -> None:
    """Replace `path` by `content` whole or not at all.

    Raises OSError (a full disk, say), the old file untouched, or UsageError where no such file can be.
    """
    with new_file(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def read_json_object(path: Path, advice: str = "Copy it again.") -> dict[str, Any]:
    """The object in a JSON file that describes a model or a part of one.

    Raises ModelError, ending with `advice`, for what is no regular file, is larger than MAX_JSON_BYTES, nested too
    deeply, no JSON or no object.
    """
    if not path.is_file():
        raise ModelError(f"{path} is no file. {advice}")
    if (size := path.stat().st_size) > MAX_JSON_BYTES:
        raise ModelError(f"{path} has {size:,} bytes; a description has {MAX_JSON_BYTES:,} at most. {advice}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ModelError(f"{path} is nested too deeply for a description. {advice}") from None
    except (OSError, ValueError) as error:  # a number of too many digits too
        raise ModelError(f"{path} is not readable JSON: {str(error)[:160]}. {advice}") from None
    if not isinstance(content, dict):
        raise ModelError(f"{path} is not a JSON object. {advice}")
    return content


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a name to write to; that file takes the place of `path` when the block ends well, else `path` stays.

    Raises UsageError where no such file can be (`check_new_file`).
    """
    check_new_file(path)
    # A random part keeps apart what threads write at once, and machines that share a disk and a process number.
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
    """Let the error name the file that the user knows, not of a temporary one, or of none as a full disk does."""
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
