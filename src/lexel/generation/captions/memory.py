"""The memory: texts of the training with their vectors, onto which the vector of a picture is projected.

Pictures and texts lie apart in the shared space, each kind in a cone of its own. A decoder that has learned from texts
alone reads pictures only after they have been moved over: to the mean of the texts that are near, weighted by a softmax
of their cosines (DeCap, Li et al. 2023).
"""

from dataclasses import dataclass

import numpy as np

from lexel.unit_vectors import unit

BLOCK_ROWS = 256  # vectors that are projected at a time


@dataclass(frozen=True)
class Memory:
    """Distinct texts and their unit vectors (M, D), float16."""

    texts: list[str]
    vectors: np.ndarray
    temperature: float  # of the softmax over cosines: the smaller, the fewer texts count

    def project(self, vectors: np.ndarray) -> np.ndarray:
        """(N, D) unit vectors of pictures → (N, D) unit vectors among those of texts."""
        kept = self.vectors.astype(np.float32)
        found = [np.zeros((0, kept.shape[1]), np.float32)]
        for start in range(0, len(vectors), BLOCK_ROWS):
            cosines = vectors[start : start + BLOCK_ROWS] @ kept.T
            weights = np.exp((cosines - cosines.max(axis=1, keepdims=True)) / self.temperature)
            found.append(unit((weights / weights.sum(axis=1, keepdims=True)) @ kept))
        return np.concatenate(found)

    def nearest(self, vectors: np.ndarray) -> list[str]:
        """The text nearest to each of the vectors (N, D): what retrieval alone would say (CLIPRe)."""
        kept = self.vectors.astype(np.float32)
        blocks = [
            (vectors[start : start + BLOCK_ROWS] @ kept.T).argmax(axis=1)
            for start in range(0, len(vectors), BLOCK_ROWS)
        ]
        return [self.texts[row] for block in blocks for row in block.tolist()]


def spread_rows(count: int, most: int) -> np.ndarray:
    """At most `most` of 0 … count − 1, evenly spread, as (N,) int64."""
    return np.arange(count) if count <= most else np.arange(most, dtype=np.int64) * count // most
