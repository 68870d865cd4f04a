"""Linear probe and few-shot curve: how much a linear classifier on frozen embeddings learns from labelled images.

The curve stands beside the zero-shot line, as in the CLIP paper: zero-shot is worth as many labelled images a class as
where the two meet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lexel.errors import ModelError
from lexel.evaluation.few_shot.folds import few_of_each, stratified_folds
from lexel.evaluation.metrics.metric import Metric, best_positions, grouped_mean, mean_per_class, proportion
from lexel.evaluation.metrics.outcomes import Outcome
from lexel.evaluation.report.caveats import about_wide_interval, some
from lexel.evaluation.report.phrases import chance, interval, percent
from lexel.evaluation.report.sections import Chart, Line, Numbers, Paragraph, TaskSection
from lexel.evaluation.tasks.base import TaskInput, TaskRequest
from lexel.evaluation.tasks.learning.learning_data import (
    FOLDS,
    VALIDATION_SHARE,
    LearningData,
    can_learn,
    learning_data,
)
from lexel.evaluation.tasks.learning.probe import as_hits, choose_penalty, fit_probe
from lexel.terminal import counted

SHOTS = (1, 2, 4, 8, 16)
MAX_SWEEP_IMAGES = 5000  # to choose the penalty on; more change it by less than its steps
WORDS = {
    "top1": "Right at the first guess",
    "mean_per_class": "Mean over classes",
    **{f"shots_{shots}": f"Learned from {shots} image{'s' * (shots > 1)} a class" for shots in SHOTS},
}


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What linear probes got right."""

    data: LearningData
    penalty: float  # 1 / C
    hits: np.ndarray  # (N,) of the probe of all images
    shot_hits: dict[int, np.ndarray]  # (N,) by the number of shots, the mean over the draws that tested the image
    zero_shot: Metric  # on the same test images


class LinearProbe:
    """The task: two labels or more, with images to learn from."""

    name = "linear_probe"
    needs = "two labels with two images each, or a training split"

    def fits(self, wanted: TaskRequest) -> bool:
        return can_learn(wanted)

    def measure(self, given: TaskInput) -> TaskSection:
        result = linear_probe(given)
        data, guess = result.data, 1 / len(result.data.labels)
        tested = data.test_classes >= 0
        metrics = {
            "top1": proportion(result.hits, guess),
            "mean_per_class": mean_per_class(result.hits[tested], data.test_classes[tested], guess),
        }
        shots = {f"shots_{n}": grouped_mean(hits, data.test_rows, guess) for n, hits in result.shot_hits.items()}
        outcomes = {"top1": Outcome(result.hits, data.test_rows)}
        outcomes |= {f"shots_{n}": Outcome(hits, data.test_rows) for n, hits in result.shot_hits.items()}
        section = TaskSection(
            task=self.name,
            title="Learning from labelled images (linear probe)",
            headline=_headline(metrics["top1"], result),
            warnings=tuple(_warnings(given, result, metrics["top1"])),
            blocks=_blocks(metrics, shots, result),
            method=(
                data.origin,
                "Linear probe: logistic regression on the image embeddings by L-BFGS. The L2 penalty was searched on "
                f"{VALIDATION_SHARE:.0%} of the images to learn from, which were then added, as in the CLIP paper.",
                f"Few shots: the mean over {FOLDS} random draws of so many images a class.",
            ),
            headline_metrics=["top1"],
        )
        return section.with_outcomes(outcomes)


def linear_probe(given: TaskInput) -> ProbeResult:
    """Fit probes on the images to learn from, and answer the test images."""
    data = learning_data(given)
    if not (np.isfinite(data.vectors).all() and np.isfinite(data.test_vectors).all()):
        raise ModelError("The model's embeddings are not all finite numbers: its weights are damaged.")
    rounds = list(data.rounds())
    c = _penalty(data, rounds[0][0])
    hits = _answered(data, [(rows, tests, c) for rows, tests in rounds])
    shot_hits = {}
    for shots in SHOTS:
        if shots <= np.median(data.class_sizes):
            draws = list(data.draws(shots))
            shot_c = _few_shot_penalty(data, draws[0][0], rounds[0][0])
            shot_hits[shots] = _answered(data, [(rows, tests, shot_c) for rows, tests in draws])
    return ProbeResult(data, 1 / c, hits, shot_hits, _zero_shot(given, data))


def _penalty(data: LearningData, rows: np.ndarray) -> float:
    """C, chosen on a part of the rows that is held out."""
    kept = few_of_each(rows, data.classes[rows], math.ceil(MAX_SWEEP_IMAGES / len(data.labels)), data.seed)
    parts = round(1 / VALIDATION_SHARE)
    held_out = stratified_folds(data.classes[kept], parts, data.seed) == 0
    learned, validation = kept[~held_out], kept[held_out]
    if len(np.unique(data.classes[learned])) < 2 or not len(validation):
        return 1.0
    c, _ = choose_penalty(
        data.vectors[learned], data.classes[learned], data.vectors[validation], data.classes[validation]
    )
    return c


def _few_shot_penalty(data: LearningData, shots: np.ndarray, pool: np.ndarray) -> float:
    """C for so few shots, chosen on other images of the pool, at most a few hundred."""
    others = np.setdiff1d(pool, shots)
    validation = few_of_each(others, data.classes[others], max(1, 500 // len(data.labels)), data.seed)
    if not len(validation):
        return 1.0
    c, _ = choose_penalty(data.vectors[shots], data.classes[shots], data.vectors[validation], data.classes[validation])
    return c


def _answered(data: LearningData, fits: list[tuple[np.ndarray, np.ndarray, float]]) -> np.ndarray:
    """(N,) hits of probes, each given as (rows to learn from, test rows, C); the mean where several tested an image."""
    total, count = np.zeros(len(data.test_vectors)), np.zeros(len(data.test_vectors))
    for rows, tests, c in fits:
        scores = fit_probe(data.vectors[rows], data.classes[rows], c).scores(data.test_vectors[tests], len(data.labels))
        total[tests] += as_hits(scores, data.test_classes[tests])
        count[tests] += 1
    return total / np.maximum(count, 1)


def _zero_shot(given: TaskInput, data: LearningData) -> Metric:
    """Zero-shot accuracy among the same classes on the same test images."""
    texts = given.embed_labels(data.labels)
    known = data.test_classes >= 0
    hits = np.zeros(len(known))
    relevant = data.test_classes[known][:, None].tolist()
    hits[known] = best_positions(data.test_vectors[known], texts, relevant).hits_at(1)
    return proportion(hits, 1 / len(data.labels))


def worth_in_shots(curve: dict[int, float], zero_shot: float) -> float | None:
    """The shots at which the curve reaches the zero-shot accuracy, between points along log2; None beyond the curve."""
    points = sorted(curve.items())
    if not points or zero_shot < points[0][1] or zero_shot > points[-1][1]:
        return None
    for (low, under), (high, over) in pairwise(points):
        if under <= zero_shot <= over:
            share = (zero_shot - under) / (over - under) if over > under else 0.0
            return 2 ** (math.log2(low) + share * (math.log2(high) - math.log2(low)))
    return float(points[0][0])


def _headline(top1: Metric, result: ProbeResult) -> str:
    said = (
        f"A linear classifier on its embeddings names {len(result.data.labels):,} kinds of things right "
        f"{percent(top1.value)} of the time ({interval(top1)}); guessing would give {chance(top1)}."
    )
    curve = {shots: float(hits.mean()) for shots, hits in result.shot_hits.items()}
    worth = worth_in_shots(curve, result.zero_shot.value)
    if worth is not None:
        said += f" Zero-shot is worth {worth:.1f} labelled images a class."
    elif curve and result.zero_shot.value > max(curve.values()):
        said += f" Zero-shot is better than {max(curve)} labelled images a class."
    elif curve:
        said += " One labelled image a class is better than zero-shot."
    return said


def _warnings(given: TaskInput, result: ProbeResult, top1: Metric) -> list[str]:
    data = result.data
    said = about_wide_interval("The linear probe", top1, f"{len(data.test_vectors):,} test images")
    unknown = sorted(
        {str(given.embedded.pairs[row].label) for row in data.test_rows[data.test_classes < 0]} - set(data.labels)
    )
    if unknown:
        said.append(
            f"{counted(len(unknown), 'label has', 'labels have')} no image to learn from ({some(unknown)}), so what "
            "carries one counts as wrong."
        )
    if data.left_out:
        said.append(f"Left out of the probe, as the only one of its label: {counted(data.left_out, 'image')}.")
    most = max(result.shot_hits, default=0)
    small = int((data.class_sizes < most).sum())
    if small:
        said.append(
            f"{counted(small, 'class has', 'classes have')} fewer than {most} images to learn from, of "
            f"{len(data.labels):,}: all they have is taken."
        )
    if most < max(SHOTS):
        said.append(f"Half of the classes have too few images for {max(SHOTS)} shots: the curve is short.")
    return said


def _blocks(metrics: dict[str, Metric], shots: dict[str, Metric], result: ProbeResult) -> list:
    title = f"Of {counted(len(result.data.test_vectors), 'image')}"
    blocks: list = [
        Numbers(title=title, metrics=metrics, words=WORDS),
        Paragraph(text=f"The penalty chosen is {result.penalty:.3g} (C = {1 / result.penalty:.3g})."),
    ]
    if not shots:
        return blocks
    counts = [float(count) for count in result.shot_hits]
    return [
        *blocks,
        Numbers(title="From a few images a class", metrics=shots, words=WORDS),
        Chart(
            title="How many labelled images zero-shot is worth",
            explanation="Accuracy of linear probes by the number of labelled images a class; bands hold 95 %. The "
            "dashed lines are zero-shot on the same images, and the probe of all images.",
            x_label="labelled images a class",
            y_label="accuracy, %",
            lines=[
                Line(
                    name="few shots",
                    x=counts,
                    y=[100 * metric.value for metric in shots.values()],
                    low=tuple(100 * metric.low for metric in shots.values()),
                    high=tuple(100 * metric.high for metric in shots.values()),
                )
            ],
            references=(
                ("zero-shot", 100 * result.zero_shot.value),
                ("all images", 100 * metrics["top1"].value),
            ),
            log_x=True,
        ),
    ]
