"""How good a ranking is, with its uncertainty and what a random ranking would get.

Ties are broken by expectation: a query counts as the probability that a random order of the tied candidates makes it
a hit. A collapsed model, to which everything looks alike, therefore scores exactly at chance level. Scores are formed
in row blocks, so that 30,000 × 30,000 of them are never in memory at once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lexel.config import Config
from lexel.errors import ModelError

BLOCK_SCORES = 2**24  # scores held at once: 64 MiB
LEAST_BLOCK_ROWS = 64  # however many the candidates: a product of fewer rows waits for memory; 256 MiB at a million
Z95 = 1.959964  # standard deviations on either side of the mean that hold 95 % of a normal distribution
RESAMPLES = 1000
JACKKNIFE_GROUPS = 10
DRAWN_AT_ONCE = 2**20  # positions of resamples: 8 MiB


class Metric(Config):
    """A measured value, its 95 % interval, and what guessing would give (None where nothing can be guessed)."""

    value: float
    low: float
    high: float
    chance: float | None
    unit: Literal["share", "rank", "number"] = "share"  # a share is in 0..1
    less_is_better: bool = False


@dataclass(frozen=True, slots=True)
class Positions:
    """Where each query's best relevant candidate stands. All (Q,)."""

    better: np.ndarray  # candidates with a higher score
    tied: np.ndarray  # candidates with exactly its score, itself included
    tied_relevant: np.ndarray  # how many of the tied ones are relevant

    def hits_at(self, k: int) -> np.ndarray:
        """The probability that a relevant candidate is among the first k, ties in random order. (Q,), mostly 0 or 1."""
        return any_hit_probability(self.tied, self.tied_relevant, np.clip(k - self.better, 0, self.tied))

    def ranks(self) -> np.ndarray:
        """The expected rank, from 1, of the best relevant candidate, ties in random order. (Q,)"""
        return self.better + (self.tied + 1) / (self.tied_relevant + 1)


def best_positions(queries: np.ndarray, candidates: np.ndarray, relevant: Sequence[Sequence[int]]) -> Positions:
    """Rank the candidates (M, D) for each query (Q, D); `relevant` holds each query's right ones, at least one."""
    counts = np.array([len(columns) for columns in relevant], dtype=np.int64)
    if len(counts) != len(queries) or not counts.all():
        raise ValueError("every query needs at least one relevant candidate")
    if not (np.isfinite(queries).all() and np.isfinite(candidates).all()):
        raise ModelError(
            "The model's embeddings are not all finite numbers: it has diverged, or its weights are damaged."
        )
    columns = np.fromiter((column for row in relevant for column in row), dtype=np.int64, count=counts.sum())
    starts = np.concatenate([[0], np.cumsum(counts)])
    better, tied, tied_relevant = (np.empty(len(queries), dtype=np.int64) for _ in range(3))
    for rows, scores in score_blocks(queries, candidates):
        mine = columns[starts[rows.start] : starts[rows.stop]]
        row_of_mine = np.repeat(np.arange(len(scores)), counts[rows])
        relevant_scores = scores[row_of_mine, mine]
        row_starts = starts[rows.start : rows.stop] - starts[rows.start]
        best = np.maximum.reduceat(relevant_scores, row_starts)
        better[rows] = (scores > best[:, None]).sum(axis=1)
        tied[rows] = (scores == best[:, None]).sum(axis=1)
        tied_relevant[rows] = np.add.reduceat((relevant_scores == best[row_of_mine]).astype(np.int64), row_starts)
    return Positions(better, tied, tied_relevant)


def score_blocks(queries: np.ndarray, candidates: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield (rows, cosines of those rows with every candidate) until all queries have been scored."""
    height = max(LEAST_BLOCK_ROWS, BLOCK_SCORES // max(1, len(candidates)))
    for start in range(0, len(queries), height):
        rows = slice(start, min(start + height, len(queries)))
        yield rows, queries[rows] @ candidates.T


def top_candidates(scores: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """The k best columns of each row, best first, ties in random order. scores (Q, M) → (Q, k)"""
    return np.lexsort((rng.random(scores.shape), -scores), axis=-1)[:, :k]


def any_hit_probability(total: np.ndarray, relevant: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """1 − C(total − relevant, drawn) / C(total, drawn): drawing without return, at least one relevant is drawn."""
    miss = np.ones(np.broadcast_shapes(np.shape(total), np.shape(relevant), np.shape(drawn)))
    for i in range(int(np.max(drawn, initial=0))):
        factor = np.clip(total - relevant - i, 0, None) / np.maximum(np.asarray(total) - i, 1)
        miss = np.where(i < np.asarray(drawn), miss * factor, miss)
    return 1.0 - miss


def chance_recall(candidates: int, relevant_counts: np.ndarray, k: int) -> float:
    """The expected recall@k of a random ranking, for queries with these numbers of relevant candidates."""
    drawn = np.full(len(relevant_counts), min(k, candidates))
    return float(any_hit_probability(np.full(len(relevant_counts), candidates), relevant_counts, drawn).mean())


def chance_median_rank(candidates: int, relevant_counts: np.ndarray) -> float:
    """The rank by which a random ranking has found a relevant candidate for half of the queries."""
    relevant, queries = np.unique(relevant_counts, return_counts=True)
    miss = queries / queries.sum()
    for rank in range(1, candidates + 1):
        miss = miss * np.clip(candidates - relevant - rank + 1, 0, None) / (candidates - rank + 1)
        if miss.sum() <= 0.5:
            return float(rank)
    return float(candidates)


def wilson(proportion: float, count: float) -> tuple[float, float]:
    """The 95 % Wilson interval of a proportion seen in `count` trials; sensible even at 0 and 1."""
    if count <= 0:
        return 0.0, 1.0
    spread = Z95**2 / count
    centre = (proportion + spread / 2) / (1 + spread)
    half = Z95 / (1 + spread) * np.sqrt(proportion * (1 - proportion) / count + spread / (4 * count))
    return float(min(proportion, max(0.0, centre - half))), float(max(proportion, min(1.0, centre + half)))


def proportion(hits: np.ndarray, chance: float | None, groups: np.ndarray | None = None) -> Metric:
    """The mean of hits (Q,), its Wilson interval; trials of one group (captions of one image) depend on each other."""
    value = float(np.clip(hits.mean(), 0, 1))
    low, high = wilson(value, len(hits) if groups is None else _effective_count(hits, groups))
    return Metric(value=value, low=low, high=high, chance=chance)


def grouped_mean(values: np.ndarray, groups: np.ndarray, chance: float | None) -> Metric:
    """The mean of values (Q,) in 0..1 with an interval from resampling whole groups."""
    if np.ptp(values) < 1e-12:  # resampling sees no doubt where there is some
        return proportion(values, chance, groups)
    low, high = bootstrap_mean(values, groups)
    return Metric(value=float(values.mean()), low=low, high=high, chance=chance)


def bootstrap_mean(values: np.ndarray, groups: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """The 95 % percentile interval of the mean of values (Q,), whole groups being drawn with return."""
    means = resampled_means(values[:, None], groups, seed)[:, 0]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def resampled_means(values: np.ndarray, groups: np.ndarray, seed: int = 0, resamples: int = RESAMPLES) -> np.ndarray:
    """Means of the columns of values (Q, K) in each resample of whole groups. (resamples, K)"""
    _, group = np.unique(groups, return_inverse=True)
    count = int(group.max()) + 1
    totals = np.stack([np.bincount(group, weights=column, minlength=count) for column in values.T], axis=1)
    sizes = np.bincount(group, minlength=count)
    rng = np.random.default_rng(seed)
    means = np.empty((resamples, values.shape[1]))
    height = max(1, DRAWN_AT_ONCE // count)
    for start in range(0, resamples, height):
        drawn = rng.integers(count, size=(min(height, resamples - start), count))
        means[start : start + height] = totals[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)[:, None]
    return means


def _effective_count(hits: np.ndarray, groups: np.ndarray) -> float:
    """The number of independent trials that would vary as much as these, which come in groups."""
    _, group = np.unique(groups, return_inverse=True)
    count = int(group.max()) + 1
    value = hits.mean()
    surplus = np.bincount(group, weights=hits - value)
    variance = (surplus**2).sum() / len(hits) ** 2 * count / max(1, count - 1)
    if variance <= 1e-15:
        return float(count)
    return float(np.clip(value * (1 - value) / variance, 1, len(hits)))


def mean_per_class(hits: np.ndarray, classes: np.ndarray, chance: float | None) -> Metric:
    """The mean over classes of each one's share of hits, so that a rare class counts as much as a common one."""

    def statistic(weights: np.ndarray) -> float:
        seen = np.bincount(classes, weights=weights)
        right = np.bincount(classes, weights=weights * hits)
        return float((right[seen > 0] / seen[seen > 0]).mean())

    value = statistic(np.ones(len(hits)))
    low, high = bootstrap(statistic, np.arange(len(hits)))
    if high - low < 1e-9:  # all right or all wrong: resampling sees no doubt where there is some
        low, high = wilson(value, len(hits))
    return Metric(value=value, low=low, high=high, chance=chance)


def median_rank(ranks: np.ndarray, groups: np.ndarray, chance: float) -> Metric:
    """The median of ranks (Q,), with an interval from resampling the groups."""
    order = np.argsort(ranks, kind="stable")
    ordered = ranks[order]

    def statistic(weights: np.ndarray) -> float:
        reached = np.cumsum(weights[order])
        half = reached[-1] / 2
        lower, upper = (np.searchsorted(reached, half, side=side) for side in ("left", "right"))
        return float((ordered[lower] + ordered[min(upper, len(ordered) - 1)]) / 2)

    low, high = bootstrap(statistic, groups)
    value = statistic(np.ones(len(ranks)))
    return Metric(value=value, low=low, high=high, chance=chance, unit="rank", less_is_better=True)


def bootstrap(statistic: Callable[[np.ndarray], float], groups: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """The 95 % percentile interval of a statistic of weights (Q,), whole groups being drawn with return."""
    _, group = np.unique(groups, return_inverse=True)
    count = int(group.max()) + 1
    rng = np.random.default_rng(seed)
    values = [
        statistic(np.bincount(rng.integers(count, size=count), minlength=count)[group].astype(float))
        for _ in range(RESAMPLES)
    ]
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def jackknife(statistic: Callable[[np.ndarray], float], count: int) -> tuple[float, float, float]:
    """(value, low, high) of a statistic of rows out of `count`: 95 % from leaving out one group of rows at a time.

    For statistics that are too slow to be resampled a thousand times.
    """
    rows = np.arange(count)
    groups = min(JACKKNIFE_GROUPS, count)
    value = statistic(rows)
    without = np.array([statistic(rows[rows % groups != group]) for group in range(groups)])
    error = float(np.sqrt((groups - 1) / groups * ((without - without.mean()) ** 2).sum()))
    return value, value - Z95 * error, value + Z95 * error


def confusion_matrix(truth: np.ndarray, said: np.ndarray, classes: int) -> np.ndarray:
    """How often each class (row) was taken for each (column). (C, C)"""
    return np.bincount(truth * classes + said, minlength=classes * classes).reshape(classes, classes)
