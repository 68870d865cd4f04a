"""Which examples a report shows: drawn at random with a fixed seed, so that nobody picks the pretty ones."""

from collections import Counter

import numpy as np

SEED = 0
GRID_SIZE = 16


def varied(rows: np.ndarray, labels: np.ndarray, count: int) -> list[int]:
    """Random rows, of as many different labels as there are."""
    shuffled = np.random.default_rng(SEED).permutation(rows)
    seen: Counter[int] = Counter()
    turns = []
    for label in labels[shuffled].tolist():
        turns.append(seen[label])
        seen[label] += 1
    return [int(row) for row in shuffled[np.argsort(turns, kind="stable")][:count]]


def hits_and_misses(ranks: np.ndarray, count: int) -> list[int]:
    """At most `count` queries whose right answer came first, then at most `count` others."""
    rng = np.random.default_rng(SEED)
    hits, misses = rng.permutation(np.flatnonzero(ranks <= 1)), rng.permutation(np.flatnonzero(ranks > 1))
    return [int(query) for query in (*hits[:count], *misses[:count])]


def rounded(cosines: np.ndarray) -> list[list[float]]:
    """A small table of cosines with four decimals."""
    return [[round(float(cosine), 4) for cosine in row] for row in cosines]
