"""Average precision of rankings with several right answers, as scikit-learn defines it, in blocks of queries."""

from collections.abc import Sequence

import numpy as np

from lexel.evaluation.metrics.metric import score_blocks

FEW_RIGHT = 32  # so few are counted one by one: sorting all scores takes longer


def average_precision(queries: np.ndarray, candidates: np.ndarray, relevant: Sequence[Sequence[int]]) -> np.ndarray:
    """The average precision of each query (Q,) over the candidates (M, D), of which `relevant` are right.

    The mean over the right candidates of the precision among all that score at least as high; candidates of equal
    score therefore count as found together.
    """
    found = np.empty(len(queries))
    for rows, scores in score_blocks(queries, candidates):
        for place, row in enumerate(range(rows.start, rows.stop)):
            right = np.asarray(relevant[row])
            found[row] = _of_scores(scores[place], right)
    return found


def mean_average_precision(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The average precision of each column of scores (N, L) against truth (N, L) bool; NaN where nothing is true."""
    return np.array(
        [
            _of_scores(column, np.flatnonzero(right)) if right.any() else np.nan
            for column, right in zip(scores.T, truth.T, strict=True)
        ]
    )


def _of_scores(scores: np.ndarray, right: np.ndarray) -> float:
    mine = scores[right]
    if len(mine) <= FEW_RIGHT:
        at_least = np.array([np.count_nonzero(scores >= own) for own in mine])
    else:
        at_least = len(scores) - np.searchsorted(np.sort(scores), mine, side="left")
    right_at_least = len(mine) - np.searchsorted(np.sort(mine), mine, side="left")
    return float((right_at_least / at_least).mean())
