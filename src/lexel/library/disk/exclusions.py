"""What a library leaves out: paths that were removed from it, and what the patterns of its folders match.

A pattern belongs to a folder that was added. Without a slash it matches the name of any file or folder below that
folder; with one it matches the path from that folder on, where `**` stands for any number of folders; with a slash at
its end it matches folders only. `*`, `?` and `[a-z]` are as in a shell; upper and lower case are the same. A folder
that matches is left out with all below it, but for a folder in it that was added itself.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import translate
from functools import lru_cache
from typing import Self

from lexel.errors import UsageError
from lexel.library.store.database.locking import only_writer
from lexel.library.store.database.paths import is_below, readable, with_slash
from lexel.library.store.places import removed_paths, stored_patterns
from lexel.library.store.records import Records

_ANY_FOLDERS = "**"
_MATCHES_ALL = ("", "*", "**", "**/*", "*/**")


class Patterns:
    """The patterns of one folder."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._given = list(patterns)
        self._parts = [_parts(pattern) for pattern in self._given]

    def match(self, path: str, is_folder: bool) -> bool:
        """Whether a file or folder is left out. `path` is relative to the patterns' folder."""
        names = path.lower().split("/")
        return any(
            (is_folder or not pattern.endswith("/")) and _match(parts, names)
            for pattern, parts in zip(self._given, self._parts, strict=True)
        )


class Exclusions:
    """The paths that a library leaves out. All paths are absolute and normal."""

    def __init__(self, removed: Iterable[str], patterns: Mapping[str, Sequence[str]], roots: Iterable[str]) -> None:
        self._removed = set(removed)
        self._patterns = {folder: Patterns(given) for folder, given in patterns.items()}
        self._roots = set(roots)
        self.matches = 0  # files and folders that patterns have left out of a walk

    @classmethod
    def of(cls, records: Records, roots: Iterable[str]) -> Self:
        """Those of a library whose added folders are `roots`."""
        removed = removed_paths(records)
        return cls(removed, stored_patterns(records), roots)

    def leave_out(self, path: str, is_folder: bool) -> bool:
        """Whether to leave out something that lies in a folder which is looked through."""
        if path in self._removed:
            return True
        matches = bool(self._patterns) and self._match(path, is_folder)
        self.matches += matches
        return matches

    def is_removed(self, path: str) -> bool:
        """Whether the path, or a folder that it lies in, was removed."""
        return any(is_below(path, removed) for removed in self._removed)

    def match(self, path: str, *, is_folder: bool = False) -> bool:
        """Whether patterns leave out the path or a folder that it lies in, below the nearest folder that was added."""
        if not self._patterns:
            return False
        nearest = max((len(root) for root in self._roots if is_below(path, root)), default=0)
        ends = [index for index in range(nearest + 1, len(path)) if path[index] == "/"]
        return self._match(path, is_folder) or any(self._match(path[:end], True) for end in ends)

    def to_walk(self, folders: Sequence[str]) -> list[str]:
        """Where to start so that a walk reaches all of `folders` that is not left out."""
        start = [folder for folder in folders if not self.is_removed(folder) and not self.match(folder, is_folder=True)]
        # These were added themselves, but the walk stops above them.
        return start + [
            root
            for root in self._roots
            if any(is_below(root, folder) and root != folder for folder in start)
            and self.match(root.rpartition("/")[0] or "/", is_folder=True)
            and not self.is_removed(root)
        ]

    def _match(self, path: str, is_folder: bool) -> bool:
        if path in self._roots:
            return False
        return any(
            path.startswith(start := with_slash(folder)) and patterns.match(path[len(start) :], is_folder)
            for folder, patterns in self._patterns.items()
        )


def exclude(records: Records, folders: Sequence[str], patterns: Iterable[str], *, replace: bool = False) -> None:
    """Keep patterns of what to leave out of folders, beside those that they have or in place of them.

    `folders` are absolute. An absolute pattern belongs to the folder that it lies in. Raises UsageError for a pattern
    that would leave out everything or lies in none of the folders, and keeps none of them then.
    """
    wanted = _of_each_folder(folders, patterns)
    with only_writer(records.folder), records.changing() as changes:
        for folder in folders:
            if replace:
                changes.forget_patterns(folder)
            for pattern in wanted.get(folder, ()):
                changes.add_pattern(folder, pattern)


def _of_each_folder(folders: Sequence[str], patterns: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for given in patterns:
        pattern = os.path.expanduser(given.strip())  # noqa: PTH111
        homes = [folder for folder in folders if pattern.startswith(with_slash(folder))]
        if pattern.startswith("/") and not homes and os.path.lexists(pattern):
            raise UsageError(f"--exclude {given} lies in none of the folders {', '.join(map(readable, folders))}.")
        for folder in homes or folders:
            plain = pattern[len(with_slash(folder)) - 1 :] if homes else pattern  # which begins with a slash
            if plain.strip("/") in _MATCHES_ALL:
                raise UsageError(
                    f'--exclude "{given}" would leave out all of {readable(folder)}. Name what to leave out: "*.png"'
                )
            if {".", ".."}.intersection(plain.split("/")):
                raise UsageError(f"--exclude {given} has . or .. in it. Write the path from the folder on: 2019/raw")
            found.setdefault(folder, []).append(plain)
    return found


def _parts(pattern: str) -> list[re.Pattern[str] | None]:
    """What each name of a path has to match; None: any number of names."""
    plain = pattern.lower().rstrip("/")
    if "/" not in plain:
        plain = f"**/{plain}"
    return [None if part == _ANY_FOLDERS else _compiled(part) for part in plain.lstrip("/").split("/")]


@lru_cache(maxsize=1024)
def _compiled(part: str) -> re.Pattern[str]:
    return re.compile(translate(part))


def _match(parts: Sequence[re.Pattern[str] | None], names: Sequence[str]) -> bool:
    if not parts:
        return not names
    if parts[0] is None:
        return any(_match(parts[1:], names[start:]) for start in range(len(names) + (len(parts) == 1)))
    return bool(names) and parts[0].match(names[0]) is not None and _match(parts[1:], names[1:])
