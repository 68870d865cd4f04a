"""Is one model really better than another? Paired differences on the same examples, with interval and verdict.

The difference of two metrics is the mean of the differences of their examples. Its 95 % interval comes from a paired
bootstrap: the same resampled images for both models. Its p-value comes from a sign-flip permutation test: if the
models were equally good, each image's difference might as well have had the other sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lexel.config import Config
from lexel.errors import UsageError
from lexel.evaluation.metrics.metric import resampled_means
from lexel.evaluation.metrics.outcomes import Outcome
from lexel.evaluation.report.report import Report, SourceReport
from lexel.evaluation.report.sections import TaskSection

Verdict = Literal["better", "worse", "cannot tell"]
Side = Literal["baseline", "model"]

SIGNIFICANCE = 0.05
RESAMPLES = 5000
PERMUTATIONS = 9_999
SIGNS_AT_ONCE = 2**22  # of the permutation test: 32 MiB
SEED = 0


class Difference(Config):
    """One metric of a model beside that of the baseline; `difference` is model − baseline."""

    source: str
    task: str
    metric: str
    model: str
    baseline_value: float
    model_value: float
    difference: float
    interval: tuple[float, float]  # 95 %
    p_value: float
    n: int  # images, or other independent examples
    verdict: Verdict  # of the model

    @property
    def sentence(self) -> str:
        """The verdict with the size of the sample where it could not decide."""
        return f"cannot tell with n = {self.n:,}" if self.verdict == "cannot tell" else self.verdict


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An image on which two models disagree: one right, the other wrong."""

    key: str
    right: Side


class Comparison(Config):
    """Some models against a baseline, on every task and source that they share."""

    baseline: str
    models: list[str]
    differences: list[Difference]


def compare(reports: Sequence[Report], names: Sequence[str] | None = None) -> Comparison:
    """Compare each report with the first one, on the metrics whose examples both have kept.

    `names` are those of the models, by default their own. Raises UsageError where two reports have no source, or
    no task on it, in common.

    Example:
        reports = [lexel.evaluate(lexel.load(model), "photos/test") for model in ("old", "new")]
        lexel.compare(reports).differences[0].verdict           # "better", "worse" or "cannot tell"
    """
    if len(reports) < 2:
        raise UsageError("A comparison needs two reports or more.")
    names = unique_names([report.model for report in reports]) if names is None else list(names)
    baseline, *others = reports
    found: list[Difference] = []
    for name, other in zip(names[1:], others, strict=True):
        rows = [
            difference
            for mine, theirs in common_sources(baseline, other)
            for difference in _differences(mine, theirs, name)
        ]
        if not rows:
            raise UsageError(_why_none(baseline, other, names[0], name))
        found += rows
    return Comparison(baseline=names[0], models=names[1:], differences=found)


def common_sources(one: Report, other: Report) -> list[tuple[SourceReport, SourceReport]]:
    """The sources of both with the same pairs, whatever they are called."""
    by_fingerprint = {source.fingerprint: source for source in other.sources}
    return [(s, by_fingerprint[s.fingerprint]) for s in one.sources if s.fingerprint in by_fingerprint]


def unique_names(names: Sequence[str]) -> list[str]:
    """The names with a number behind those that occur twice: "clip", "clip (2)"."""
    found: list[str] = []
    for name in names:
        number, candidate = 1, name
        while candidate in found:
            number += 1
            candidate = f"{name} ({number})"
        found.append(candidate)
    return found


def paired_difference(baseline: Outcome, model: Outcome) -> tuple[float, tuple[float, float], float, int]:
    """(mean of model − baseline, its 95 % interval, p-value, number of groups) of outcomes on the same examples."""
    gaps = model.values.astype(np.float64) - baseline.values.astype(np.float64)
    means = resampled_means(gaps[:, None], baseline.groups, SEED, RESAMPLES)[:, 0]
    low, high = (float(limit) for limit in np.percentile(means, [2.5, 97.5]))
    sums = np.bincount(np.unique(baseline.groups, return_inverse=True)[1], weights=gaps)
    return float(gaps.mean()), (low, high), sign_flip_p_value(sums), len(sums)


def sign_flip_p_value(sums: np.ndarray) -> float:
    """Two-sided: the share of random signs of the groups' differences (G,) that give as large a total or larger."""
    decisive = sums[np.abs(sums) > 1e-12]  # the others add nothing under any sign
    if not len(decisive):
        return 1.0
    observed = abs(decisive.sum()) - 1e-9
    random = np.random.default_rng(SEED)
    height = max(1, SIGNS_AT_ONCE // len(decisive))
    extreme, drawn = 0, 0
    while drawn < PERMUTATIONS:
        count = min(height, PERMUTATIONS - drawn)
        signs = random.integers(0, 2, (count, len(decisive)), dtype=np.int8)
        totals = 2 * (signs @ decisive) - decisive.sum()
        extreme += int((np.abs(totals) >= observed).sum())
        drawn += count
    return (extreme + 1) / (PERMUTATIONS + 1)


def disagreements(baseline: SourceReport, model: SourceReport, task: str, metric: str, each: int) -> list[Disagreement]:
    """At most `each` random images that only the baseline got right, then as many that only the model got right."""
    mine, theirs = (_section(source, task).outcomes[metric] for source in (baseline, model))
    gaps = theirs.values - mine.values
    random = np.random.default_rng(SEED)
    found = []
    sides: tuple[tuple[Side, np.ndarray], ...] = (
        ("baseline", np.flatnonzero(gaps < -0.5)),
        ("model", np.flatnonzero(gaps > 0.5)),
    )
    for side, rows in sides:
        groups = list(dict.fromkeys(mine.groups[random.permutation(rows)].tolist()))
        images = [group for group in groups if group < len(baseline.keys)]  # the rest are no images of the source
        found += [Disagreement(baseline.keys[group], side) for group in images[:each]]
    return found


def _differences(baseline: SourceReport, model: SourceReport, name: str) -> list[Difference]:
    found = []
    for section in baseline.sections:
        other = next((s for s in model.sections if s.task == section.task), None)
        for metric in section.headline_metrics if other else ():
            mine, theirs = section.outcomes.get(metric), other.outcomes.get(metric) if other else None
            if mine is None or theirs is None:
                continue
            if baseline.keys != model.keys or not np.array_equal(mine.groups, theirs.groups):
                raise UsageError(
                    f"The reports read different images of {baseline.name}, so they cannot be compared in pairs.\n"
                    "  Evaluate both models again on the same files."
                )
            gap, interval, p_value, count = paired_difference(mine, theirs)
            found.append(
                Difference(
                    source=baseline.name,
                    task=section.task,
                    metric=metric,
                    model=name,
                    baseline_value=float(mine.values.mean(dtype=np.float64)),
                    model_value=float(theirs.values.mean(dtype=np.float64)),
                    difference=gap,
                    interval=interval,
                    p_value=p_value,
                    n=count,
                    verdict=verdict(gap, interval, p_value),
                )
            )
    return found


def verdict(gap: float, interval: tuple[float, float], p_value: float) -> Verdict:
    """Better or worse only where both the interval and the test leave no doubt."""
    if p_value >= SIGNIFICANCE or interval[0] <= 0 <= interval[1]:
        return "cannot tell"
    return "better" if gap > 0 else "worse"


def _section(source: SourceReport, task: str) -> TaskSection:
    return next(section for section in source.sections if section.task == task)


def _why_none(baseline: Report, other: Report, baseline_name: str, other_name: str) -> str:
    both = common_sources(baseline, other)
    if not both:
        mine, theirs = (", ".join(source.name for source in report.sources) for report in (baseline, other))
        return (
            f"{baseline_name} was measured on {mine}, {other_name} on {theirs}: no source has the same pairs.\n"
            "  Evaluate both on the same data, or give the models with --on SOURCE."
        )
    tasks = [{section.task for section in source.sections} for source in both[0]]
    if not tasks[0] & tasks[1]:
        return f"{baseline_name} and {other_name} have no task in common on {both[0][0].name}."
    return (
        f"The reports of {baseline_name} and {other_name} hold no outcomes of single examples (examples.safetensors).\n"
        "  Evaluate both models again, or give the models with --on SOURCE."
    )
