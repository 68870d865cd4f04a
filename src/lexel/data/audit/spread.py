"""How a number varies over a source: a few of its values, and how many lie between round bounds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BARS = 24  # of a histogram, at most


@dataclass(frozen=True, slots=True)
class Spread:
    """How a number varies over the source."""

    least: float
    median: float
    percentile_95: float
    most: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many values lie in each of some ranges: counts[i] from bounds[i] up to, but not including, bounds[i + 1].

    The last range includes its upper bound.
    """

    bounds: list[float]
    counts: list[int]


def spread(values: Sequence[float] | np.ndarray) -> Spread | None:
    """Least, median, 95th percentile and most; None of nothing."""
    if not len(values):
        return None
    return Spread(*(float(value) for value in np.percentile(values, [0, 50, 95, 100])))


def whole_histogram(values: Sequence[int] | np.ndarray) -> Histogram:
    """Of whole numbers: ranges of one width, a whole number too, up to the 99th percentile, and one for the rest."""
    if not len(values):
        return Histogram([], [])
    numbers = np.asarray(values)
    low, high, most = int(numbers.min()), int(np.percentile(numbers, 99)), int(numbers.max())
    width = max(1, -(-(high - low + 1) // BARS))
    bounds = list(range(low, high + width + 1, width))
    if most >= bounds[-1]:
        bounds.append(most + 1)
    counts, _ = np.histogram(numbers, [*bounds[:-1], bounds[-1]])
    return Histogram([float(bound) for bound in bounds], counts.tolist())


def ratio_histogram(values: Sequence[float] | np.ndarray) -> Histogram:
    """Of ratios, between bounds that are equally far apart in their logarithms, 1 in the middle of one range."""
    if not len(values):
        return Histogram([], [])
    halves = np.log2(np.asarray(values, np.float64)) * 4  # steps of a fourth of a doubling
    low, high = (int(np.floor(np.clip(end, -12, 12) + 0.5)) for end in (halves.min(), halves.max()))
    steps = np.arange(low, high + 2) - 0.5
    counts, _ = np.histogram(np.clip(halves, steps[0], steps[-1]), steps)
    return Histogram([float(bound) for bound in 2 ** (steps / 4)], counts.tolist())


def share_histogram(values: Sequence[float] | np.ndarray, bars: int = 20) -> Histogram:
    """Of numbers in 0..1, in ranges of equal width."""
    counts, bounds = np.histogram(np.asarray(values, np.float64), bars, (0, 1))
    return Histogram(bounds.tolist(), counts.tolist())
