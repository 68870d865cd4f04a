"""The score threshold of a concept, set by the allowed false-positive rate."""

from dataclasses import dataclass

import numpy as np

from lexel.calibration import STRONG, log_odds_of
from lexel.errors import UsageError
from lexel.evaluation.metrics.metric import wilson
from lexel.terminal import counted

FALSE_POSITIVE_RATE = 0.01
MIN_PICTURES = 50  # with fewer, no picture can be said to stand out
OUTSTANDING_DEVIATIONS = 2.0  # of chance above its middle, from which a picture stands out; chance flags some 2 %


@dataclass(frozen=True, slots=True)
class FalsePositives:
    """How often pictures that do not show the concept are flagged, measured on examples kept apart."""

    asked: float  # at most, of the examples
    measured: float
    low: float  # 95 % interval (Wilson)
    high: float
    examples: int

    def __str__(self) -> str:
        flagged = round(self.measured * self.examples)
        return (
            f"{flagged:,} of {counted(self.examples, 'example')} without it are flagged: "
            f"{self.measured:.1%}, 95 % interval {self.low:.1%} to {self.high:.1%}"
        )


def choose_threshold(clean: np.ndarray, rate: float = FALSE_POSITIVE_RATE) -> tuple[float, FalsePositives]:
    """The lowest threshold at which at most that share of the scores (N,) of clean examples reaches it.

    Raises UsageError for a rate outside 0..1.
    """
    if not 0 < rate < 1:
        raise UsageError(f"A false-positive rate lies between 0 and 1, such as 0.01, not {rate}.")
    highest = np.sort(np.asarray(clean, np.float64))[::-1]
    threshold = float(np.nextafter(highest[int(rate * len(highest))], np.inf))
    measured = float((highest >= threshold).mean())
    return threshold, FalsePositives(rate, measured, *wilson(measured, len(highest)), len(highest))


def outstanding(scores: np.ndarray) -> float:
    """A threshold for log-odds (N,) of pictures that may or may not show the concept, where nothing else is known.

    A picture is flagged where it fits the concept rather than its contrast, and either stands out from the other
    pictures or fits strongly on its own: where most show the concept none stands out.
    """
    strongly = log_odds_of(STRONG)
    if len(scores) < MIN_PICTURES:
        return strongly
    low, middle = np.percentile(scores, [15.87, 50])  # half of them are free of what is rare
    return min(strongly, max(0.0, float(middle + OUTSTANDING_DEVIATIONS * (middle - low))))
