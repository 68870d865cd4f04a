"""How sure a hit is: strong, possible or unlikely, so that a search may say that nothing fits.

With the model's calibration a cosine has a probability; in a library a true match is rare, which the prior says. For a
foreign model without one, the query's scores over a fixed sample of the library's own pictures tell what chance looks
like: their lower half is chance whatever the query finds, and a match stands well above it.
"""

from dataclasses import dataclass

import numpy as np

from lexel.calibration import POSSIBLE, STRONG, Calibration, Strength, log_odds_of, sigmoid
from lexel.search.vectors import Vectors

PRIOR = 0.05  # the share of true matches among the photos that a search looks at closely
SAMPLE = 2000  # photos
FEWEST = 50  # photos in the sample, of fewer nothing is said
# Standard deviations of chance above its middle at which a match is as likely as not, and at which it is strong.
HALF, SURE = 3.5, 4.5
UNWANTED = 1.5  # as many above, from which a photo counts as showing what is not wanted
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing (Knuth 1973)


@dataclass(frozen=True)
class Chance:
    """What a query scores by chance."""

    middle: float
    spread: float  # standard deviation

    def probability(self, cosines: np.ndarray) -> np.ndarray:
        """That a photo with such a score fits, float64 in 0..1."""
        deviations = (cosines.astype(np.float64) - self.middle) / self.spread
        return sigmoid(log_odds_of(STRONG) * (deviations - HALF) / (SURE - HALF))


def matches(
    cosines: np.ndarray, query: np.ndarray, calibration: Calibration | None, sample: np.ndarray
) -> np.ndarray | None:
    """The probability (N,) that each photo fits a text, of its cosines (N,) with the text's unit vector `query` (D,).

    `sample` (S, D) are vectors of photos of the library; None when they are too few to tell without a calibration.
    """
    if calibration is not None:
        return calibration.probability(cosines, prior=PRIOR)
    if len(sample) < FEWEST:
        return None
    return chance_of(sample @ query).probability(cosines)


def shows(
    cosines: np.ndarray, query: np.ndarray, calibration: Calibration | None, sample: np.ndarray
) -> np.ndarray | None:
    """Whether (N,) each photo may show what is not wanted: arguments as of `matches`.

    A photo too many is left out rather than one too few: it is enough that its cosine speaks for a match, or stands out
    from the library's own.
    """
    if calibration is not None:
        return calibration.probability(cosines) >= POSSIBLE
    if len(sample) < FEWEST:
        return None
    chance = chance_of(sample @ query)
    return cosines >= chance.middle + UNWANTED * chance.spread


def chance_of(scores: np.ndarray) -> Chance:
    """Chance, of the scores (S,) of a sample: its lower half is free of matches as long as most photos do not fit."""
    low, middle = np.percentile(scores, [15.87, 50])
    return Chance(float(middle), float(max(middle - low, 1e-6)))


def sample_of(vectors: Vectors, ids: np.ndarray) -> np.ndarray:
    """(S, D) vectors of at most SAMPLE of these photos, the same ones every time, chosen by a hash of their number."""
    if len(ids) > SAMPLE:
        hashes = ids.astype(np.uint64) * GOLDEN
        ids = np.sort(ids[np.argpartition(hashes, SAMPLE)[:SAMPLE]])
    return vectors.vectors_of(ids)


def in_words(probability: float | None) -> Strength | None:
    """The word for a probability of a match."""
    if probability is None:
        return None
    return "strong" if probability >= STRONG else "possible" if probability >= POSSIBLE else "unlikely"
