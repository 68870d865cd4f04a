"""How likely a text fits an image, whatever the other texts are: the calibrated match, or a stand-in for it.

For a model without calibration, an image's own cosines with generic texts show what chance looks like: a text that
fits stands well above them.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from lexel.calibration import STRONG, log_odds_of, sigmoid

if TYPE_CHECKING:
    from lexel.encoder import Encoder

# Standard deviations of an image's cosines with generic texts, above their mean, at which a match is as likely as not
# and at which it is strong: measured in docs/experiments.md.
DEVIATIONS_AT_HALF, DEVIATIONS_AT_STRONG = 3.2, 4.3
MIN_DEVIATION = 1e-6  # of cosines; a model to which all texts look alike has less
GENERIC_TEXTS = (
    "a photo", "a picture of something", "an image", "a photo of a person", "a photo of an animal", "a place outdoors",
    "a room", "a thing on a table", "a drawing", "a photo of food", "a street", "a vehicle", "a landscape", "some text",
)  # fmt: skip
_embedded: "WeakKeyDictionary[Encoder, np.ndarray]" = WeakKeyDictionary()


@dataclass(frozen=True)
class Generic:
    """What images score with texts that say little: a text that fits one scores well above that."""

    texts: np.ndarray  # (K, D) unit vectors
    spread: float  # standard deviation of an image's cosines with them, the median over images

    def probability(self, images: np.ndarray, cosines: np.ndarray) -> np.ndarray:
        """That images (N, D) fit texts with which they have such cosines (N,) or (N, L); float64 in 0..1, alike."""
        above_half = self.deviations(images, cosines) - DEVIATIONS_AT_HALF
        return sigmoid(log_odds_of(STRONG) * above_half / (DEVIATIONS_AT_STRONG - DEVIATIONS_AT_HALF))

    def deviations(self, images: np.ndarray, cosines: np.ndarray) -> np.ndarray:
        """How many spreads the cosines lie above the images' own with texts that say little, float64."""
        middle = (images @ self.texts.T).mean(axis=1, dtype=np.float64)
        return (cosines.T - middle).T / self.spread


def generic_of(encoder: "Encoder", sample: np.ndarray) -> Generic | None:
    """How the model's generic texts fit a sample (S, D) of images; None where there are no images."""
    if not len(sample):
        return None
    texts = generic_texts(encoder)
    return Generic(texts, max(float(np.median((sample @ texts.T).std(axis=1))), MIN_DEVIATION))


def generic_texts(encoder: "Encoder") -> np.ndarray:
    """(K, D) unit vectors of texts that say little, embedded once for each model."""
    if encoder not in _embedded:
        _embedded[encoder] = encoder.embed_texts(GENERIC_TEXTS)
    return _embedded[encoder]


def match_of(encoder: "Encoder", images: np.ndarray, cosines: np.ndarray) -> np.ndarray:
    """The probability (N, L) that images (N, D) fit texts with which they have these cosines (N, L), float64.

    By the model's calibration, as `Encoder.match` gives it, or beside generic texts where it has none.
    """
    if encoder.calibration is not None:
        return encoder.calibration.probability(cosines)
    generic = generic_of(encoder, images)
    return np.zeros(cosines.shape) if generic is None else generic.probability(images, cosines)
