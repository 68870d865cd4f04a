"""What a cosine means: the probability that an image and a text belong together, fitted for one model.

Raw cosines mean nothing to people, and no two models' agree: 0.3 is a strong match to one and chance to another. A
logistic curve over the cosine, fitted on pairs that the model has not seen, turns them into probabilities.
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from lexel.config import Config

Strength = Literal["strong", "possible", "unlikely"]
STRONG, POSSIBLE = 0.9, 0.5  # probabilities from which a match is called so
Share = Annotated[float, Field(gt=0, lt=1)]


class Calibration(Config):
    """The logistic curve from cosine to probability, and how well it held on pairs that it was not fitted on.

    The probability is that of a guesser who is shown true pairs and random ones in equal number (`prior` 0.5): above
    one half the cosine speaks for a match. Where true pairs are rarer, as for one text among the pictures of a large
    library, the same cosine says less: give `probability` their share.
    """

    slope: PositiveFloat  # of the log-odds over the cosine
    intercept: float
    prior: Share = 0.5  # the share of true pairs that slope and intercept speak of
    pairs: PositiveInt  # images with their captions that it was fitted on
    expected_calibration_error: NonNegativeFloat  # on images left out of the fit, at equal numbers of both kinds
    source: str  # that the pairs came from

    def probability(self, cosines: np.ndarray, prior: float | None = None) -> np.ndarray:
        """The probability of a match for cosines of any shape, float64 in 0..1, rising with the cosine.

        `prior` is the share of true pairs among those that are asked about.
        """
        log_odds = self.slope * np.asarray(cosines, np.float64) + self.intercept
        if prior is not None:
            log_odds += log_odds_of(prior) - log_odds_of(self.prior)
        return sigmoid(log_odds)

    def cosine(self, probability: float) -> float:
        """The cosine at which a match has this probability, strictly between 0 and 1."""
        return (log_odds_of(probability) - self.intercept) / self.slope


def strength(probability: float) -> Strength:
    """The word for a probability of a match that `Calibration` gives."""
    if probability >= STRONG:
        return "strong"
    return "possible" if probability >= POSSIBLE else "unlikely"


def sigmoid(log_odds: np.ndarray) -> np.ndarray:
    """Probabilities of log-odds, without overflow at either end."""
    small = np.exp(-np.abs(log_odds))
    return np.where(log_odds >= 0, 1, small) / (1 + small)


def log_odds_of(probability: float) -> float:
    """log(p / (1 − p)) for p strictly between 0 and 1; raises ValueError for another."""
    if not 0 < probability < 1:
        raise ValueError(f"a share must be between 0 and 1, not {probability}")
    return float(np.log(probability) - np.log1p(-probability))
