"""How sure a hit is: strong, possible or unlikely, so that a search may say that nothing fits.

With the model's calibration a cosine has a probability; in a library a true match is rare, which the prior says. For a
foreign model without one, a photo's own cosines with generic texts tell what chance looks like: a match stands well
above them. The library's other photos do not tell it: where most show what is asked, none would stand out.
"""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from lexel.calibration import POSSIBLE, STRONG, Calibration, Strength, log_odds_of, sigmoid
from lexel.encoder import Encoder
from lexel.library.index.vectors import Vectors

PRIOR = 0.05  # the share of true matches among the photos that a search looks at closely
SAMPLE = 2000  # photos
# Standard deviations of chance above its middle at which a match is as likely as not, and at which it is strong:
# measured in docs/experiments.md.
HALF, SURE = 3.2, 4.3
UNWANTED = 2.0  # as many above, from which a photo counts as showing what is not wanted
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing (Knuth 1973)
GENERIC = (
    "a photo", "a picture of something", "an image", "a photo of a person", "a photo of an animal", "a place outdoors",
    "a room", "a thing on a table", "a drawing", "a photo of food", "a street", "a vehicle", "a landscape", "some text",
)  # fmt: skip
_generic: "WeakKeyDictionary[Encoder, np.ndarray]" = WeakKeyDictionary()


@dataclass(frozen=True)
class Generic:
    """What photos score with texts that say little: a text that fits one scores well above that."""

    texts: np.ndarray  # (K, D) unit vectors
    spread: float  # standard deviation of a photo's cosines with them, in the middle of the library's photos

    def probability(self, photos: np.ndarray, cosines: np.ndarray) -> np.ndarray:
        """That photos (N, D) fit texts with which they have such cosines (N,) or (N, L); float64 in 0..1, alike."""
        return sigmoid(log_odds_of(STRONG) * (self.deviations(photos, cosines) - HALF) / (SURE - HALF))

    def deviations(self, photos: np.ndarray, cosines: np.ndarray) -> np.ndarray:
        """How many spreads the cosines lie above the photos' own with texts that say little, float64."""
        middle = (photos @ self.texts.T).mean(axis=1, dtype=np.float64)
        return (cosines.T - middle).T / self.spread


def matches(
    cosines: np.ndarray,
    photos: np.ndarray,
    calibration: Calibration | None,
    generic: Generic | None,
    prior: float = PRIOR,
) -> np.ndarray | None:
    """The probability (N,) that each of the photos (N, D) fits a text, of its cosines (N,) with the text.

    For several texts, cosines and probabilities are (N, L). `prior` is the share of true matches, for a calibration.
    None where there is neither a calibration nor `generic`.
    """
    if calibration is not None:
        return calibration.probability(cosines, prior=prior)
    return generic.probability(photos, cosines) if generic is not None else None


def generic_of(encoder: Encoder, sample: np.ndarray) -> Generic | None:
    """How the model's generic texts fit a sample (S, D) of the library's photos; None where there are no photos."""
    if not len(sample):
        return None
    texts = generic_texts(encoder)
    return Generic(texts, max(float(np.median((sample @ texts.T).std(axis=1))), 1e-6))


def generic_texts(encoder: Encoder) -> np.ndarray:
    """(K, D) unit vectors of texts that say little, embedded once for each model."""
    if encoder not in _generic:
        _generic[encoder] = encoder.embed_texts(GENERIC)
    return _generic[encoder]


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
    return generic.deviations(photos, cosines) >= UNWANTED


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
