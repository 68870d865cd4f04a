"""Embeddings that were computed before training: a frozen tower's, of every picture or of every text.

They lie in one file and are read from it where they are needed, in whatever process makes a batch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from lexel.data.order import Sample
from lexel.errors import BadImageError


@dataclass(frozen=True)
class Vectors:
    """(N, E) float32 unit vectors in an .npy file, of which only the rows that are asked for are read."""

    path: Path

    @cached_property
    def rows(self) -> np.ndarray:
        return np.load(self.path, mmap_mode="r")

    def __reduce__(self) -> tuple[type["Vectors"], tuple[Path]]:
        return Vectors, (self.path,)  # to a worker goes the name, not the content


@dataclass(frozen=True)
class EmbeddedPictures:
    """The embedding of every picture of every source, one source behind the other."""

    vectors: Vectors
    sizes: Sequence[int]  # pairs of each source
    bad: Mapping[int, str] = field(default_factory=dict)  # why a row has none

    def find(self, sample: Sample) -> np.ndarray:
        """(E,) Raises BadImageError when the picture could not be read."""
        row = sum(self.sizes[: sample.source]) + sample.index
        if row in self.bad:
            raise BadImageError(self.bad[row])
        return self.vectors.rows[row]


@dataclass(frozen=True)
class EmbeddedTexts:
    """The embedding of every text that can be drawn."""

    vectors: Vectors
    row_of: Mapping[str, int]

    def find(self, texts: Sequence[str]) -> np.ndarray:
        """(N, E)"""
        return np.asarray(self.vectors.rows[[self.row_of[text] for text in texts]])
