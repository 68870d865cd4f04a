"""Pictures that a table names by absolute paths of another machine, found beside the table by the ends of these paths.

`C:\\Users\\me\\photos\\2024\\IMG_1.webp` is `2024/IMG_1.webp` below the table's folder, or `IMG_1.webp` where only one
file has that name. Where several files fit equally well, or one file fits several paths, nothing is guessed.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lexel.data.readers.paths import has_image_extension

_ABSOLUTE = re.compile(r"/|[A-Za-z]:[\\/]|\\\\|file://")

Parts = tuple[str, ...]


@dataclass(slots=True)
class MovedPaths:
    """The file of each path that was found, and the files that fit each of the others equally well."""

    files: dict[str, Path] = field(default_factory=dict)
    ambiguous: dict[str, list[str]] = field(default_factory=dict)  # files relative to the folder
    looked_at: int = 0  # picture files below the folder


def is_absolute_anywhere(name: str) -> bool:
    """Whether a path is absolute on some system: `/home/…`, `C:\\…`, `\\\\server\\…`, `file://…`."""
    return _ABSOLUTE.match(name.strip()) is not None


def find_by_tail(folder: Path, names: Iterable[str]) -> MovedPaths:
    """For each path the picture below `folder` that shares most of its last parts, where there is exactly one.

    find_by_tail(Path("."), ["C:\\\\photos\\\\a.jpg"]).files  →  {"C:\\\\photos\\\\a.jpg": Path("a.jpg")}
    """
    by_name = _pictures_below(folder)
    moved = MovedPaths(looked_at=sum(map(len, by_name.values())))
    claims: defaultdict[Parts, list[tuple[int, str]]] = defaultdict(list)
    for name in dict.fromkeys(names):
        parts = _parts(name)
        nearest = _nearest(parts, by_name.get(parts[-1], ()) if parts else ())
        if len(nearest) == 1:
            claims[nearest[0]].append((_shared(parts, nearest[0]), name))
        elif nearest:
            moved.ambiguous[name] = ["/".join(found) for found in nearest]
    for found, claimants in claims.items():
        longest = max(length for length, _ in claimants)
        best = [name for length, name in claimants if length == longest]
        if len(best) == 1:
            moved.files[best[0]] = folder.joinpath(*found)
        else:
            moved.ambiguous |= {name: ["/".join(found)] for name in best}
    return moved


def _pictures_below(folder: Path) -> dict[str, list[Parts]]:
    found: defaultdict[str, list[Parts]] = defaultdict(list)
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        above = Path(place).relative_to(folder).parts
        for name in files:
            if has_image_extension(name) and not name.startswith("."):
                found[name].append((*above, name))
    return found


def _parts(name: str) -> Parts:
    return tuple(part for part in re.split(r"[\\/]+", name.strip()) if part)


def _nearest(parts: Parts, candidates: Iterable[Parts]) -> list[Parts]:
    lengths = {candidate: _shared(parts, candidate) for candidate in candidates}
    longest = max(lengths.values(), default=0)
    return [candidate for candidate, length in lengths.items() if length == longest]


def _shared(one: Parts, other: Parts) -> int:
    """How many of their last parts are the same."""
    shared = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b:
            break
        shared += 1
    return shared
