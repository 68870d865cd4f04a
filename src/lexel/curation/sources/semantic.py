"""Pictures that show the same thing to a model: embeddings that nearly coincide (Abbas et al. 2023, SemDeDup).

All are compared with all, in blocks: N²·D operations, and memory for one block.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from lexel.data.near_copies import DisjointSets, Star, stars
from lexel.progress import track

SAME_MEANING = 0.95  # cosine
ROWS_AT_ONCE = 1024


def semantic_groups(vectors: np.ndarray, prefer: np.ndarray, at_least: float = SAME_MEANING) -> list[Star]:
    """Groups of pictures, each around the first of them in `prefer` (N,), the largest group first.

    vectors (N, D) of unit length. All members of a group have at least that cosine with its centre.
    """
    sets = DisjointSets(range(len(vectors)))
    for ones, others in _alike(vectors, at_least):
        apart = sets.roots(ones) != sets.roots(others)
        for one, other in zip(ones[apart].tolist(), others[apart].tolist(), strict=True):
            sets.join(one, other)
    rank = np.empty(len(prefer), np.int64)
    rank[prefer] = np.arange(len(prefer))

    def alike(centre: int, rest: Sequence[int]) -> np.ndarray:
        return vectors[rest] @ vectors[centre]

    groups: list[Star] = []
    for members in sets.sets():
        if len(members) > 1:
            ordered = sorted(members, key=lambda one: rank[one])
            groups += [star for star in stars(ordered, alike, at_least) if star.others]
    return sorted(groups, key=lambda star: (-len(star.others), star.centre))


def _alike(vectors: np.ndarray, at_least: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    starts = range(0, len(vectors), ROWS_AT_ONCE)
    for start in track(starts, f"Comparing embeddings, in blocks of {ROWS_AT_ONCE}") if len(starts) > 8 else starts:
        block = vectors[start : start + ROWS_AT_ONCE]
        rows, columns = np.nonzero(block @ vectors[start:].T >= at_least)
        later = columns > rows
        yield start + rows[later], start + columns[later]
