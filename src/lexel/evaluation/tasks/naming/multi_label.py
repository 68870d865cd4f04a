"""Images with several labels each ("dog, cat"): how well every label ranks the images, as mean average precision."""

from __future__ import annotations

import numpy as np

from lexel.errors import UsageError
from lexel.evaluation.metrics.average_precision import mean_average_precision
from lexel.evaluation.metrics.metric import Metric, best_positions, jackknife, proportion
from lexel.evaluation.metrics.outcomes import Outcome
from lexel.evaluation.report.phrases import chance, interval, percent
from lexel.evaluation.report.sections import Examples, Numbers, TaskSection
from lexel.evaluation.tasks.base import TaskInput, TaskRequest
from lexel.evaluation.texts.label_structure import holds_several_labels, label_parts
from lexel.terminal import counted

LISTED_LABELS = 40
WORDS = {
    "mean_average_precision": "Mean average precision over labels",
    "top1": "The first guess is one of the image's labels",
}


class MultiLabel:
    """The task: images of which some carry several labels."""

    name = "multi_label"
    needs = 'images with several labels, such as "dog, cat"'

    def fits(self, wanted: TaskRequest) -> bool:
        return holds_several_labels(wanted.source.labels)

    def measure(self, given: TaskInput) -> TaskSection:
        pairs = given.embedded.pairs
        rows = np.array([row for row, pair in enumerate(pairs) if pair.label is not None])
        parts = [label_parts(str(pairs[row].label)) for row in rows]
        labels = list(given.labels) if given.labels is not None else sorted({part for own in parts for part in own})
        column = {label: i for i, label in enumerate(labels)}
        truth = np.zeros((len(rows), len(labels)), dtype=bool)
        for row, own in enumerate(parts):
            truth[row, [column[part] for part in own if part in column]] = True
        if not truth.any():
            raise UsageError(f"{given.embedded.source.name}: none of its images carries one of the labels given.")
        texts = given.embed_labels(labels)
        images = given.embedded.vectors[rows]
        precisions = mean_average_precision(images @ texts.T, truth)
        named = truth.any(axis=1)
        relevant = [np.flatnonzero(row).tolist() for row in truth[named]]
        hits = best_positions(images[named], texts, relevant).hits_at(1)
        metrics = {
            "mean_average_precision": _mean_precision(images @ texts.T, truth),
            "top1": proportion(hits, float(truth[named].mean())),
        }
        found = metrics["mean_average_precision"]
        section = TaskSection(
            task=self.name,
            title="Images with several labels",
            headline=(
                f"Each of {counted(len(labels), 'label')} ranks the images with a mean average precision of "
                f"{percent(found.value)} ({interval(found)}); a random order would give {chance(found)}."
            ),
            facts=(f"{counted(len(labels), 'label')}, {truth.sum() / len(rows):.1f} an image",),
            blocks=[
                Numbers(title=f"Of {counted(len(rows), 'image')}", metrics=metrics, words=WORDS),
                _by_label(labels, truth, precisions),
            ],
            method=(
                "Several labels: of each label the average precision of the images ranked by their cosine with it, "
                "then the mean over the labels that occur; its interval is that of a jackknife over the images.",
            ),
            templates=given.templates,
            headline_metrics=["mean_average_precision", "top1"],
        )
        return section.with_outcomes({"top1": Outcome(hits, rows[named])})


def _mean_precision(scores: np.ndarray, truth: np.ndarray) -> Metric:
    def statistic(rows: np.ndarray) -> float:
        return float(np.nanmean(mean_average_precision(scores[rows], truth[rows])))

    value, low, high = jackknife(statistic, len(scores))
    prevalence = truth.mean(axis=0)
    guess = float(prevalence[prevalence > 0].mean())
    return Metric(value=value, low=max(0.0, low), high=min(1.0, high), chance=guess)


def _by_label(labels: list[str], truth: np.ndarray, precisions: np.ndarray) -> Examples:
    order = [i for i in np.argsort(-precisions, kind="stable") if not np.isnan(precisions[i])]
    shown = order if len(order) <= LISTED_LABELS else [*order[: LISTED_LABELS // 2], *order[-LISTED_LABELS // 2 :]]
    return Examples(
        title="Label by label",
        explanation="" if len(shown) == len(order) else "The best, then the worst.",
        columns=["label", "images", "average precision"],
        rows=[[labels[i], f"{truth[:, i].sum():,}", percent(float(precisions[i]))] for i in shown],
    )
