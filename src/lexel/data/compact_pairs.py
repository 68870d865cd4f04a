"""The pairs of large folders and tables as arrays: a pair is made when it is asked for.

A million pairs of Python objects take more than a gigabyte, and once more in every worker process, because looking at
an object writes its reference count. Arrays of texts and numbers take a tenth and stay shared. No object of the pairs
that they are made of is kept where there may be many: one of a thousand would keep the memory of all from being freed.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lexel.data.pairs import ImageFile, MadePairs, Pair, Picture, TableImage
from lexel.data.texts import Texts

FEWEST_COMPACT = 10_000  # pairs; fewer stay a list, which is quicker to look at


def compact(pairs: Sequence[Pair]) -> Sequence[Pair]:
    """The same pairs as a sequence that takes little memory; few stay what they are."""
    return CompactPairs(pairs) if len(pairs) >= FEWEST_COMPACT else pairs


class CompactPairs(MadePairs):
    """Pairs as arrays. Pictures that are neither files nor cells of tables are held as they are, and so are extras."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._keys = _pack(pair.key for pair in pairs)
        self._pictures = _CompactPictures(pairs)
        self._captions = _pack(caption for pair in pairs for caption in pair.captions)
        self._captions_until = np.cumsum([len(pair.captions) for pair in pairs], dtype=np.int64)
        labels = {
            label: number for number, label in enumerate(dict.fromkeys(p.label for p in pairs if p.label is not None))
        }
        self._labels = _pack(labels)
        self._label_of = np.fromiter(
            (-1 if pair.label is None else labels[pair.label] for pair in pairs), np.int32, len(pairs)
        )
        self._weights = {row: pair.caption_weights for row, pair in enumerate(pairs) if pair.caption_weights}
        self._extras: list[Mapping[str, Any] | None] = (
            [pair.extras for pair in pairs] if any(pair.extras is not None for pair in pairs) else []
        )

    def __len__(self) -> int:
        return len(self._label_of)

    def _pair(self, row: int) -> Pair:
        start = int(self._captions_until[row - 1]) if row else 0
        return Pair(
            self._keys[row],
            self._pictures[row],
            tuple(self._captions[number] for number in range(start, int(self._captions_until[row]))),
            None if self._label_of[row] < 0 else self._labels[int(self._label_of[row])],
            self._extras[row] if self._extras else None,
            self._weights.get(row, ()),
        )


class _CompactPictures:
    """Files as a folder and a name, cells of tables as a column and two numbers."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        folders: dict[str, int] = {}
        columns: dict[tuple[Path, str], int] = {}
        self._held: dict[int, Picture] = {}
        self._place = np.empty(len(pairs), np.int32)  # number of the folder; −1 − that of the column; or neither
        self._cell = np.zeros((len(pairs) if any(isinstance(p.picture, TableImage) for p in pairs) else 0, 2), np.int32)
        names = []
        for row, pair in enumerate(pairs):
            name = ""
            match pair.picture:
                case ImageFile(path):
                    folder, mark, name = str(path).rpartition("/")
                    self._place[row] = folders.setdefault(folder + mark, len(folders))
                case TableImage(path, group, cell, column):
                    self._place[row] = -1 - columns.setdefault((path, column), len(columns))
                    self._cell[row] = group, cell
                case picture:
                    self._held[row] = picture
            names.append(name)
        self._names = _pack(names)
        self._folders = list(folders)
        self._columns = list(columns)

    def __getitem__(self, row: int) -> Picture:
        if row in self._held:
            return self._held[row]
        place = int(self._place[row])
        if place >= 0:
            return ImageFile(Path(self._folders[place] + self._names[row]))
        path, column = self._columns[-1 - place]
        group, cell = self._cell[row].tolist()
        return TableImage(path, group, cell, column)


def _pack(texts: Iterable[str]) -> Texts:
    # File names that are no UTF-8 have halves of surrogate pairs.
    return Texts(*Texts.pack(texts, "surrogatepass"))
