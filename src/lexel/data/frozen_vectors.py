"""Embeddings of a frozen tower, computed before training for every picture or every text.

They lie in one file. Each process that makes batches reads from it the rows that it needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from lexel.data.order import Sample
from lexel.errors import BadImageError


@dataclass(frozen=True)
class FrozenVectors:
    """(N, E) float32 unit vectors in an .npy file, read one requested row at a time."""

    path: Path

    @cached_property
    def rows(self) -> np.ndarray:
        return np.load(self.path, mmap_mode="r")

    def __reduce__(self) -> tuple[type["FrozenVectors"], tuple[Path]]:
        return FrozenVectors, (self.path,)  # a worker process gets the path, not the content


@dataclass(frozen=True)
class EmbeddedPictures:
    """The embedding of every picture of every source, source after source."""

    vectors: FrozenVectors
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
    """The embedding of every text that a batch can show."""

    vectors: FrozenVectors
    row_of: Mapping[str, int]

    def find(self, texts: Sequence[str]) -> np.ndarray:
        """(N, E)"""
        return np.asarray(self.vectors.rows[[self.row_of[text] for text in texts]])
