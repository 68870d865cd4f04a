"""BLEU-4 of all captions together (Papineni et al. 2002): shared runs of one to four words, and not too short."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from lexel.generation.captions.metrics.words import ngrams

LONGEST = 4  # words of a run


def bleu_counts(captions: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> np.ndarray:
    """(N, 10) int64, for each caption (as words): its length, that of the reference nearest in length (the shorter of
    two), and for runs of 1 … 4 words how many are in a reference, each as often as there at most, and how many there
    are."""
    rows = []
    for caption, wanted in zip(captions, references, strict=True):
        nearest = min((abs(len(one) - len(caption)), len(one)) for one in wanted)[1]
        row = [len(caption), nearest]
        for n in range(1, LONGEST + 1):
            most: Counter[tuple[str, ...]] = Counter()
            for reference in wanted:
                most |= ngrams(reference, n)
            found = ngrams(caption, n)
            row += [sum((found & most).values()), sum(found.values())]
        rows.append(row)
    return np.array(rows, dtype=np.int64).reshape(-1, 2 + 2 * LONGEST)


def bleu(counts: np.ndarray, weights: np.ndarray | None = None) -> float:
    """BLEU-4 in 0..1 of captions with these counts (N, 10), each counted as often as its weight (N,) says.

    It is the geometric mean of the four precisions, times a penalty for captions shorter than their references.
    """
    total = (np.ones(len(counts)) if weights is None else weights) @ counts
    length, wanted, matches, all_runs = total[0], total[1], total[2::2], total[3::2]
    if not length or not (matches > 0).all():
        return 0.0
    return float(np.exp(np.log(matches / all_runs).mean() + min(0.0, 1 - wanted / length)))
