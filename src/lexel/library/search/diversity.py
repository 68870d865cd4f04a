"""Results that differ from each other: maximal marginal relevance (Carbonell and Goldstein 1998)."""

import numpy as np


def diversify(scores: np.ndarray, vectors: np.ndarray, count: int, diversity: float) -> list[int]:
    """Places of `count` candidates, each chosen for its score and its distance from those chosen before.

    scores (N,), unit vectors (N, D); `diversity` from 0, the order of the scores, to 1, which heeds only the distance.
    Scores are brought to the range of 0 to 1 first, for those of texts and of pictures lie apart.
    """
    span = float(scores.max() - scores.min()) if len(scores) else 0.0
    relevance = (scores - scores.min()) / span if span else np.zeros_like(scores)
    nearest = np.zeros(len(scores))
    left = np.ones(len(scores), bool)
    chosen: list[int] = []
    while len(chosen) < min(count, len(scores)):
        gain = np.where(left, (1 - diversity) * relevance - diversity * nearest, -np.inf)
        best = int(np.argmax(gain))
        chosen.append(best)
        left[best] = False
        nearest = np.maximum(nearest, vectors @ vectors[best])
    return chosen
