"""Paths of photos: as a user gives them, as SQLite keeps them, and as they are shown to people."""

import os
from collections.abc import Iterable
from pathlib import Path


def absolute(path: str | Path) -> str:
    """The absolute, normal path of what a user gives; links stay."""
    return os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111 - bytes that are no UTF-8 stay as they are


def is_below(path: str, folder: str) -> bool:
    """Whether the path is the folder or lies below it; both absolute and normal."""
    return path == folder or path.startswith(with_slash(folder))


def outermost(paths: Iterable[str]) -> list[str]:
    """Those of the paths that lie below none of the others, sorted."""
    kept: list[str] = []
    for path in sorted(set(paths), key=lambda path: path.rstrip("/") + "/"):
        if not kept or not is_below(path, kept[-1]):
            kept.append(path)
    return kept


def with_slash(folder: str) -> str:
    """The folder's path as that of what lies in it begins."""
    return folder if folder.endswith("/") else f"{folder}/"


def rebased(path: str, before: str, after: str) -> str:
    """The path at or below one folder as it is at or below another; all absolute and normal."""
    return (after.rstrip("/") + path[len(before.rstrip("/")) :]) or "/"


def as_column(path: str) -> str | bytes:
    """A path as it is stored: its bytes where they are no UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def as_path(column: str | bytes) -> str:
    """The path that a column holds; surrogates stand for bytes that are no UTF-8, as `os` has it."""
    return os.fsdecode(column) if isinstance(column, bytes) else column


def readable(path: str) -> str:
    """The path fit for people and UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def ranges_below(folder: str) -> list[tuple[str | bytes, str | bytes]]:
    """(from, to) of the columns of every path below the folder, both ends left out."""
    start = with_slash(folder)
    stop = f"{start[:-1]}0"  # the character after /
    text = as_column(start)
    as_bytes = (os.fsencode(start), os.fsencode(stop))
    return [as_bytes] if isinstance(text, bytes) else [(start, stop), as_bytes]
