"""How sure a hit is: strong, possible or unlikely, so that a search may say that nothing fits.

With the model's calibration a cosine has a probability; in a library a true match is rare, which the prior says. For a
foreign model without one, a photo's own cosines with generic texts show what chance looks like: a match stands well
above them. The library's other photos are no measure of it: where most show what is asked, none would stand out.
"""

from typing import Any

import numpy as np

from lexel.calibration import POSSIBLE, Calibration, Strength, strength
from lexel.evaluation.matching import Generic
from lexel.library.search.searchable import SearchableVectors

MATCH_PRIOR = 0.05  # the share of true matches among the photos that a search looks at closely
SAMPLE_PHOTOS = 2000
UNWANTED_DEVIATIONS = 2.0  # above generic texts, from which a photo counts as showing what is not wanted
GOLDEN_RATIO = np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing (Knuth 1973)


def matches(
    cosines: np.ndarray,
    photos: np.ndarray,
    calibration: Calibration | None,
    generic: Generic | None,
    prior: float = MATCH_PRIOR,
) -> np.ndarray | None:
    """The probability (N,) that each of the photos (N, D) fits a text, of its cosines (N,) with the text.

    For several texts, cosines and probabilities are (N, L). `prior` is the share of true matches, for a calibration.
    None where there is neither a calibration nor `generic`.
    """
    if calibration is not None:
        return calibration.probability(cosines, prior=prior)
    return generic.probability(photos, cosines) if generic is not None else None


def shows(
    cosines: np.ndarray, photos: np.ndarray, calibration: Calibration | None, generic: Generic | None
) -> np.ndarray:
    """Whether (N,) each of the photos (N, D) may show what is not wanted, of its cosines (N,) with that.

    One of the two is given. A photo too many is left out rather than one too few: less speaks for a match here than in
    `matches`.
    """
    if calibration is not None:
        return calibration.probability(cosines) >= POSSIBLE
    assert generic is not None
    return generic.deviations(photos, cosines) >= UNWANTED_DEVIATIONS


def sample_of(vectors: SearchableVectors[Any], ids: np.ndarray) -> np.ndarray:
    """(S, D) vectors of at most SAMPLE_PHOTOS of these, the same ones every time, chosen by a hash of their number."""
    if len(ids) > SAMPLE_PHOTOS:
        hashes = ids.astype(np.uint64) * GOLDEN_RATIO
        ids = np.sort(ids[np.argpartition(hashes, SAMPLE_PHOTOS)[:SAMPLE_PHOTOS]])
    return vectors.vectors_of(ids)


def in_words(probability: float | None) -> Strength | None:
    """The word for a probability of a match; None where there is none."""
    return None if probability is None else strength(probability)
