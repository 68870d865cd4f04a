"""CIDEr-D (Vedantam et al. 2015): cosines of runs of words, in which runs that many pictures share count little."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from lexel.generation.captions.metrics.words import ngrams

LONGEST = 4  # words of a run
SIGMA = 6.0  # words of difference in length, of the Gaussian that punishes it
SCALE = 10.0

Weights = dict[tuple[str, ...], float]


def cider_d(captions: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> np.ndarray:
    """(N,) float64 in 0..10 of captions (as words), each with its references; the mean is the score of all.

    How common a run is, is counted over the references of all N pictures, so scores of different sets do not compare.
    """
    common: Counter[tuple[str, ...]] = Counter()
    for wanted in references:
        common.update({run for one in wanted for n in range(1, LONGEST + 1) for run in ngrams(one, n)})
    log_count = math.log(len(references)) if references else 0.0

    def weights(words: Sequence[str]) -> list[Weights]:
        return [
            {run: times * (log_count - math.log(max(1, common[run]))) for run, times in ngrams(words, n).items()}
            for n in range(1, LONGEST + 1)
        ]

    scores = []
    for caption, wanted in zip(captions, references, strict=True):
        mine = weights(caption)
        similar = [_similarity(mine, weights(one), len(caption) - len(one)) for one in wanted]
        scores.append(SCALE * sum(similar) / len(similar))
    return np.array(scores, dtype=np.float64)


def _similarity(caption: Sequence[Weights], reference: Sequence[Weights], longer: int) -> float:
    """Mean over run lengths of the cosine in which a run of the caption weighs no more than in the reference."""
    cosines = []
    for mine, theirs in zip(caption, reference, strict=True):
        product = sum(min(weight, theirs[run]) * theirs[run] for run, weight in mine.items() if run in theirs)
        norms = _norm(mine) * _norm(theirs)
        cosines.append(product / norms if norms else 0.0)
    return sum(cosines) / len(cosines) * math.exp(-(longer**2) / (2 * SIGMA**2))


def _norm(weights: Weights) -> float:
    return math.sqrt(sum(weight**2 for weight in weights.values()))
