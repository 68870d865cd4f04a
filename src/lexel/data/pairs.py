"""The words of the data path: a Pair, the Picture that it holds, and the Source that it came from.

The pairs of a source are a sequence, which need not be a list: those of tar shards are made when they are asked for.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, overload

import numpy as np
from PIL import Image

from lexel.data.table_cells import read_cell
from lexel.errors import BadImageError
from lexel.images import decode, read_file


class Picture(Protocol):
    """Anything that can be turned into pixels when they are needed, in whatever process needs them."""

    def load(self) -> Image.Image:
        """The picture as RGB, upright. Raises BadImageError when there is none to be had."""
        ...


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A picture in a file."""

    path: Path

    def load(self) -> Image.Image:
        return decode(self.path)


@dataclass(frozen=True, slots=True)
class EmbeddedImage:
    """A picture inside a table."""

    content: bytes

    def load(self) -> Image.Image:
        return decode(self.content)


@dataclass(frozen=True, slots=True)
class ShardImage:
    """A picture inside a tar."""

    path: Path  # of the tar
    start: int  # of the picture's bytes in it
    size: int

    def content(self) -> bytes:
        """The bytes of the picture's file. Raises BadImageError where the tar has them no longer."""
        try:
            with open(self.path, "rb", buffering=0) as file:
                file.seek(self.start)
                content = file.read(self.size)
        except OSError as error:
            raise BadImageError(f"{self.path}: {error.strerror or error}") from error
        if len(content) != self.size:
            raise BadImageError(f"{self.path} at {self.start}: the tar was cut off since it was read")
        return content

    def load(self) -> Image.Image:
        try:
            return decode(self.content())
        except BadImageError as error:
            said = str(error)
            raise BadImageError(
                said if said.startswith(str(self.path)) else f"{self.path} at {self.start}: {said}"
            ) from error


@dataclass(frozen=True, slots=True)
class TableImage:
    """A picture inside a Parquet or Arrow file, which is read when it is needed."""

    path: Path  # of the file
    group: int  # its row group or batch
    row: int  # within the group
    column: str

    def content(self) -> bytes:
        """The bytes of the picture's file. Raises BadImageError where the table has none."""
        return read_cell(self.path, self.group, self.row, self.column)

    def load(self) -> Image.Image:
        content = self.content()
        try:
            return decode(content)
        except BadImageError as error:
            raise BadImageError(f"{self.path}, row {self.row + 1} of group {self.group + 1}: {error}") from error


@dataclass(frozen=True, slots=True)
class Pair:
    """One image with what is said of it. `key` is stable: the same image of the same source always has the same one."""

    key: str
    picture: Picture
    captions: tuple[str, ...] = ()
    label: str | None = None
    # The table's other columns, where `read_source` was asked to keep them; of several rows the first one's.
    extras: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)
    caption_weights: tuple[float, ...] = ()  # how often each caption is drawn, as shares; none: equally often


@dataclass(frozen=True, slots=True)
class Source:
    """Pairs read from one place, and how they were read."""

    name: str  # as the user wrote it
    pairs: Sequence[Pair]
    notes: tuple[str, ...] = ()  # which columns and split were taken, what was skipped: said to the user
    split: str | None = None
    splits: tuple[str, ...] = ()  # all that there are at this place, the one that was taken included
    # (N,) int8: which of `splits` each pair is of, −1 for none; None where one split was taken or there are none.
    split_numbers: np.ndarray | None = field(default=None, repr=False, compare=False)

    def split_of(self, row: int) -> str | None:
        """The split that a pair belongs to."""
        number = -1 if self.split_numbers is None else int(self.split_numbers[row])
        return self.splits[number] if number >= 0 else self.split

    @property
    def labels(self) -> list[str]:
        """The distinct labels, sorted."""
        return sorted({pair.label for pair in self.pairs if pair.label is not None})


def content_of(picture: Picture) -> bytes | None:
    """The bytes of the picture's file; None where it is drawn when it is needed. Raises BadImageError."""
    match picture:
        case ImageFile(path):
            return read_file(path)
        case EmbeddedImage(content):
            return content
        case ShardImage() | TableImage():
            return picture.content()
        case _:
            return None


class MadePairs(Sequence[Pair], ABC):
    """Pairs that are made when they are asked for; a subclass makes one and knows how many there are."""

    @abstractmethod
    def _pair(self, row: int) -> Pair:
        """The pair of a row that is there."""

    @overload
    def __getitem__(self, index: int) -> Pair: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Pair]: ...
    def __getitem__(self, index: int | slice) -> Pair | Sequence[Pair]:
        if isinstance(index, slice):
            return ChosenPairs(self, np.arange(len(self))[index])
        row = index + len(self) if index < 0 else index
        if not 0 <= row < len(self):
            raise IndexError(index)
        return self._pair(row)


class ChosenPairs(Sequence[Pair]):
    """Some of the pairs of a sequence that makes them when they are asked for."""

    def __init__(self, pairs: Sequence[Pair], rows: np.ndarray) -> None:
        if isinstance(pairs, ChosenPairs):
            pairs, rows = pairs.pairs, pairs.rows[rows]
        self.pairs = pairs
        self.rows = rows  # (N,) int64

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Pair: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Pair]: ...
    def __getitem__(self, index: int | slice) -> Pair | Sequence[Pair]:
        if isinstance(index, slice):
            return ChosenPairs(self.pairs, self.rows[index])
        return self.pairs[int(self.rows[index])]

    @property
    def shard_ends(self) -> np.ndarray | None:
        """As those of the sequence; of pairs that are not in its order there are none."""
        ends = shard_ends(self.pairs)
        if ends is None or (np.diff(self.rows) < 0).any():
            return None
        return np.unique(np.searchsorted(self.rows, ends))


class GroupedPairs(Sequence[Pair]):
    """Pairs whose pictures lie in row groups of tables: those of one group are read together."""

    def __init__(self, pairs: Sequence[Pair], ends: np.ndarray) -> None:
        self._pairs = pairs
        self.shard_ends = ends  # the row after the last of each group

    def __len__(self) -> int:
        return len(self._pairs)

    @overload
    def __getitem__(self, index: int) -> Pair: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Pair]: ...
    def __getitem__(self, index: int | slice) -> Pair | Sequence[Pair]:
        return self._pairs[index]


def grouped(pairs: Sequence[Pair]) -> Sequence[Pair]:
    """The pairs, with the ends of their row groups where all pictures lie in such."""
    if not pairs or not isinstance(pairs[0].picture, TableImage):
        return pairs
    places = [(p.path, p.group) for pair in pairs if isinstance(p := pair.picture, TableImage)]
    if len(places) < len(pairs):
        return pairs
    ends = [row for row in range(1, len(places)) if places[row] != places[row - 1]]
    return GroupedPairs(pairs, np.array([*ends, len(pairs)], np.int64))


def shard_ends(pairs: Sequence[Pair]) -> np.ndarray | None:
    """The row after the last of each shard, for pairs that lie in shards; those of one shard are read together."""
    return getattr(pairs, "shard_ends", None)


def choose(pairs: Sequence[Pair], rows: Sequence[int] | np.ndarray) -> Sequence[Pair]:
    """The pairs of these rows: a list of a list, and what makes pairs when asked for of what does so."""
    if isinstance(pairs, list | tuple):
        return [pairs[row] for row in rows]
    return ChosenPairs(pairs, np.asarray(rows, np.int64))
