"""The file that each name in a table means, where names are not simply paths of files that are there.

Tables come from other machines and programs: a name may be an absolute path of another machine, in another letter case
or Unicode form, without its extension or with another, or be the number in a file's name. The ways are tried in the
order of `Way`, and each takes the names that those before it left. Where several files fit equally well, or names that
contradict one another fit one file, nothing is guessed.
"""

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from lexel.data.readers.paths import has_image_extension

_ABSOLUTE = re.compile(r"/|[A-Za-z]:[\\/]|\\\\|file://")
_NUMBER_AT_END = re.compile(r"(?:.*\D)?(\d+)", re.DOTALL)

Parts = tuple[str, ...]


class Way(StrEnum):
    """How a name leads to a file; the value ends the sentence "images found by …"."""

    PATH = "their paths"
    END = "the ends of their paths"
    LETTERS = "names in another letter case or Unicode form"
    STEM = "names without their extension, or with another"
    NUMBER = "the numbers in their names"


@dataclass(slots=True)
class Lookup:
    """The file of each name that was found and how, and the files that fit each of the others equally well."""

    files: dict[str, Path] = field(default_factory=dict)
    ways: dict[str, Way] = field(default_factory=dict)
    ambiguous: dict[str, list[str]] = field(default_factory=dict)  # files relative to the folder
    looked_at: int = 0  # picture files below the folder

    def example(self, way: Way) -> tuple[int, str, Path] | None:
        """How many names were found in this way, and the first of them with its file."""
        found = [name for name, how in self.ways.items() if how is way]
        return (len(found), found[0], self.files[found[0]]) if found else None


def is_absolute_anywhere(name: str) -> bool:
    """Whether a path is absolute on some system: `/home/…`, `C:\\…`, `\\\\server\\…`, `file://…`."""
    return _ABSOLUTE.match(name.strip()) is not None


def find_files(
    folder: Path,
    names: Iterable[str],
    *,
    first: Path | None = None,
    pictures: list[Parts] | None = None,
    numbers: bool = True,
) -> Lookup:
    """The picture below `folder` that each name means, where there is exactly one.

    `first` is the folder, at or below it, that paths are relative to where they are there; `pictures` are those of
    `pictures_below`, where they are known. With `numbers`, 42 may be 000042.jpg or COCO_val2014_000000000042.jpg.

        find_files(Path("."), ["C:/photos/a.jpg"]).files  →  {"C:/photos/a.jpg": Path("a.jpg")}
    """
    pictures = pictures_below(folder) if pictures is None else pictures
    lookup = Lookup(looked_at=len(pictures))
    start = _parts(os.path.relpath(first, folder)) if first else ()
    there = set(pictures)
    left: list[str] = []
    for name in dict.fromkeys(names):
        if (path := _path_there(folder, start, name, there)) is None:
            left.append(name)
        else:
            lookup.files[name], lookup.ways[name] = path, Way.PATH
    keys: dict[Way, Callable[[str], str | None]] = {Way.END: str, Way.LETTERS: _folded, Way.STEM: _stem}
    if numbers:
        keys[Way.NUMBER] = _number
    for way, key in keys.items():
        if left:
            left = _find_by(way, key, folder, pictures, left, lookup)
    return lookup


def _path_there(folder: Path, start: Parts, name: str, there: set[Parts]) -> Path | None:
    parts = _parts(name)
    if not is_absolute_anywhere(name):
        for known in ((*start, *parts), parts):
            if known in there:
                return folder.joinpath(*known)
    path = folder.joinpath(*start, name)  # absolute, above the folder, or below a link, which is not walked through
    return path if os.path.isfile(path) else None  # noqa: PTH113 - a name too long is no error here


def _find_by(
    way: Way, key: Callable[[str], str | None], folder: Path, pictures: list[Parts], names: list[str], lookup: Lookup
) -> list[str]:
    """Add the names that lead to a file in this way; those that are still left."""
    by_key: defaultdict[str, list[Parts]] = defaultdict(list)
    for parts in pictures:
        if (of_file := _key_of_file(way, parts[-1])) is not None:
            by_key[of_file].append(parts)
    claims: defaultdict[Parts, list[tuple[int, str]]] = defaultdict(list)
    left: list[str] = []
    taken = set(lookup.files.values())
    for name in names:
        parts = _parts(name)
        wanted = key(parts[-1]) if parts else None
        nearest = _nearest(name, parts, by_key.get(wanted, ()) if wanted is not None else (), way)
        if not nearest:
            left.append(name)
        elif len(nearest) == 1 and not _is_taken(folder.joinpath(*nearest[0]), name, way, taken):
            claims[nearest[0]].append((_shared(parts[:-1], nearest[0][:-1], way), name))
        else:
            lookup.ambiguous[name] = ["/".join(found) for found in nearest]
    for found, claimants in claims.items():
        longest = max(length for length, _ in claimants)
        best = [name for length, name in claimants if length == longest]
        if len({_whole_key(name, key) for name in best}) == 1:
            for name in best:
                lookup.files[name], lookup.ways[name] = folder.joinpath(*found), way
        else:
            lookup.ambiguous |= {name: ["/".join(found)] for name in best}
    return left


def _is_taken(file: Path, name: str, way: Way, taken: set[Path]) -> bool:
    """Whether another name means the file already: a.jpg is not a.png where both are listed; 000.JPG is 000.jpg."""
    return file in taken and way is not Way.LETTERS and has_image_extension(name)


def _key_of_file(way: Way, name: str) -> str | None:
    match way:
        case Way.LETTERS:
            return _folded(name)
        case Way.STEM:
            return _stem(name)
        case Way.NUMBER:
            found = _NUMBER_AT_END.fullmatch(os.path.splitext(name)[0])  # noqa: PTH122
            return found[1].lstrip("0") or "0" if found else None
        case _:
            return name


def _whole_key(name: str, key: Callable[[str], str | None]) -> Parts:
    """A name without what does not matter: names that differ in it contradict one another."""
    *above, last = _parts(name)
    return (*map(_folded, above), key(last) or "")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _stem(name: str) -> str:
    """The name without its extension, if it has a picture's; folded."""
    return _folded(name.rpartition(".")[0] if has_image_extension(name) else name)


def _number(name: str) -> str | None:
    return name.lstrip("0") or "0" if name.isascii() and name.isdigit() else None


def pictures_below(folder: Path) -> list[Parts]:
    """The pictures in a folder and below it, as the parts of their relative paths."""
    found: list[Parts] = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        above = Path(place).relative_to(folder).parts
        found += [(*above, name) for name in sorted(files) if has_image_extension(name) and not name.startswith(".")]
    return found


def _parts(name: str) -> Parts:
    return tuple(part for part in re.split(r"[\\/]+", name.strip()) if part and part != ".")


def _nearest(name: str, parts: Parts, candidates: Iterable[Parts], way: Way) -> list[Parts]:
    """The candidates that share most of the folders above the file.

    A relative path has all its folders there, or is itself the longer one: `b/1.png` is not `a/1.png`.
    """
    lengths = {candidate: _shared(parts[:-1], candidate[:-1], way) for candidate in candidates}
    if not is_absolute_anywhere(name):
        lengths = {
            candidate: length for candidate, length in lengths.items() if length >= min(len(parts), len(candidate)) - 1
        }
    longest = max(lengths.values(), default=0)
    return [candidate for candidate, length in lengths.items() if length == longest]


def _shared(one: Parts, other: Parts, way: Way) -> int:
    """How many of the last folders are the same."""
    shared = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b and (way is Way.END or _folded(a) != _folded(b)):
            break
        shared += 1
    return shared
