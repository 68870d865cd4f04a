"""A model's quality on one source as one number, for whatever has to choose or to watch.

Of labelled pictures it is the share named right at the first guess; of captioned ones recall@1, the mean over finding
the caption of a picture and the picture of a caption.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lexel.data.pairs import Source
from lexel.evaluation.evaluate import SourceLike, check_fits, evaluate
from lexel.evaluation.metrics.metric import Metric, bootstrap_mean
from lexel.evaluation.metrics.outcomes import Outcome
from lexel.evaluation.report.report import SourceReport

if TYPE_CHECKING:
    from lexel.encoder import Encoder

HEADLINES = {"zero_shot": ("top1",), "retrieval": ("text_to_image/recall@1", "image_to_text/recall@1")}
NAMES = {"zero_shot": "named right", "retrieval": "recall@1"}


@dataclass(frozen=True, slots=True)
class SourceScore:
    """What share a model gets right on a source."""

    source: str
    name: str  # of what is measured, for people
    metric: Metric
    outcome: Outcome  # whose mean it is

    @property
    def points(self) -> float:
        """Of a hundred."""
        return 100 * self.metric.value


def measure_score(encoder: Encoder, source: SourceLike, templates: str | Sequence[str] = "photo") -> SourceScore:
    """Measure the model on the source.

    Raises UsageError where the source has neither labels nor captions to measure with.
    """
    return score_of(evaluate(encoder, source, tasks=list(HEADLINES), templates=templates).sources[0])


def check_has_score(source: Source) -> None:
    """Raise UsageError, before anything is embedded, where `measure_score` would."""
    check_fits(source, list(HEADLINES))


def score_of(report: SourceReport) -> SourceScore:
    """The number of a source that was measured by zero-shot, or else by retrieval. Raises ValueError without either."""
    sections = {section.task: section for section in report.sections}
    task = next((task for task in HEADLINES if task in sections), None)
    if task is None:
        raise ValueError(f"{report.name} was measured neither by zero-shot nor by retrieval")
    section = sections[task]
    metrics = [section.metrics[name] for name in HEADLINES[task]]
    if len(metrics) == 1:
        return SourceScore(report.name, NAMES[task], metrics[0], section.outcomes[HEADLINES[task][0]])
    outcome = joined([section.outcomes[name] for name in HEADLINES[task]])
    low, high = bootstrap_mean(outcome.values, outcome.groups)
    chances = [metric.chance for metric in metrics if metric.chance is not None]
    metric = Metric(
        value=float(np.mean([metric.value for metric in metrics])),
        low=max(0.0, low),
        high=min(1.0, high),
        chance=float(np.mean(chances)) if len(chances) == len(metrics) else None,
    )
    return SourceScore(report.name, NAMES[task], metric, outcome)


def joined(outcomes: Sequence[Outcome]) -> Outcome:
    """One outcome whose mean is the mean of the outcomes' means, however many examples each has."""
    total = sum(len(outcome.values) for outcome in outcomes)
    values = [outcome.values.astype(np.float64) * total / len(outcomes) / len(outcome.values) for outcome in outcomes]
    return Outcome(np.concatenate(values), np.concatenate([outcome.groups for outcome in outcomes]))
