"""Calibration of zero-shot probabilities: when the model says 80 %, is it right 80 times of a hundred?

Expected calibration error over 15 bins (Guo et al. 2017), the reliability diagram, and the same after the temperature
has been fitted on the other half of the images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lexel.evaluation.metrics.metric import Metric, best_positions, bootstrap
from lexel.evaluation.report.phrases import interval, percent
from lexel.evaluation.report.sections import Chart, Line, Numbers, TaskSection
from lexel.evaluation.tasks.base import TaskInput, TaskRequest
from lexel.terminal import counted

if TYPE_CHECKING:
    from lexel.encoder import Encoder

CONFIDENCE_BINS = 15
MIN_BIN_IMAGES = 5  # fewer are not drawn: their share of hits says nothing
MAX_IMAGES = 20_000  # that are measured; logits of all their labels are held at once
TEMPERATURES = np.geomspace(0.01, 100, 185)  # that are tried, relative to the model's own
WORDS = {
    "error": "Expected calibration error",
    "error_after_temperature": "After fitting the temperature on other images",
    "confidence": "Mean confidence",
    "temperature": "Temperature that fits best, relative to the model's own",
}


@dataclass(frozen=True, slots=True)
class ConfidenceResult:
    """What the model claimed of its best guess, and whether it was right. All (N,)."""

    confidence: np.ndarray
    right: np.ndarray  # bool
    confidence_after: np.ndarray | None  # with the temperature fitted on the other half; None for a sigmoid-loss model
    temperature: float | None  # fitted on all


class Confidence:
    """The task: two labels or more, and images that carry them."""

    name = "calibration"
    needs = "two labels"

    def fits(self, wanted: TaskRequest) -> bool:
        return bool(wanted.source.labels) and len(wanted.candidates) >= 2

    def measure(self, given: TaskInput) -> TaskSection:
        result = measure_confidence(given)
        metrics = {"error": _error_metric(result.confidence, result.right)}
        if result.confidence_after is not None and result.temperature is not None:
            metrics["error_after_temperature"] = _error_metric(result.confidence_after, result.right)
        mean = float(result.confidence.mean())
        spread = 1.959964 * float(result.confidence.std()) / len(result.confidence) ** 0.5
        metrics["confidence"] = Metric(value=mean, low=max(0, mean - spread), high=min(1, mean + spread), chance=None)
        accuracy, error = float(result.right.mean()), metrics["error"]
        leaning = "too sure" if mean > accuracy else "not sure enough"
        temperature = ""
        if result.temperature is not None:
            temperature = f" The temperature that fits best is {result.temperature:,.3g} times its own."
        return TaskSection(
            task=self.name,
            title="Whether its probabilities hold (calibration)",
            headline=(
                f"Its probabilities are off by {percent(error.value)} on average ({interval(error)}): it claims "
                f"{percent(mean)} and is right {percent(accuracy)} of the time, so it is {leaning}.{temperature}"
            ),
            warnings=_warnings(given, len(result.right)),
            blocks=[
                Numbers(title=f"Of {counted(len(result.right), 'image')}", metrics=metrics, words=WORDS),
                _diagram(result),
            ],
            method=(
                f"Calibration: the probability of the best label, in {CONFIDENCE_BINS} bins of equal width; the error "
                "is the mean gap between what was claimed and how often it was right. The temperature was fitted on "
                "one half of the images and applied to the other, both ways.",
            ),
            headline_metrics=[],
        )


def measure_confidence(given: TaskInput) -> ConfidenceResult:
    """Zero-shot confidence on the labelled images, as the model gives it and with a fitted temperature."""
    embedded = given.embedded
    occurring = {pair.label for pair in embedded.pairs if pair.label is not None}
    labels = list(given.labels) if given.labels is not None else sorted(occurring)
    column = {label: i for i, label in enumerate(labels)}
    rows = [row for row, pair in enumerate(embedded.pairs) if pair.label in column]
    rows = np.sort(np.random.default_rng(given.seed).permutation(rows)[:MAX_IMAGES])
    truth = np.array([column[str(embedded.pairs[row].label)] for row in rows])
    texts = given.embed_labels(labels)
    best_positions(embedded.vectors[rows[:1]], texts, [[0]])  # refuses embeddings that are not finite
    cosines = embedded.vectors[rows] @ texts.T
    chances = given.encoder.probabilities_of(cosines)
    confidence, right = chances.max(axis=1), chances.argmax(axis=1) == truth
    if given.encoder.logit_bias is not None:
        return ConfidenceResult(confidence, right, None, None)
    half = np.random.default_rng(given.seed).permutation(len(rows)) % 2 == 0
    after = np.empty(len(rows))
    for fitted, applied in ((half, ~half), (~half, half)):
        temperature = fit_temperature(given.encoder, cosines[fitted], truth[fitted])
        after[applied] = given.encoder.probabilities_of(cosines[applied] / temperature).max(axis=1, initial=0)
    return ConfidenceResult(confidence, right, after, fit_temperature(given.encoder, cosines, truth))


def fit_temperature(encoder: Encoder, cosines: np.ndarray, truth: np.ndarray) -> float:
    """The factor of the model's own temperature with the least negative log likelihood, of TEMPERATURES."""
    if not len(truth):
        return 1.0
    logits = cosines.astype(np.float64) * encoder.logit_scale
    logits -= logits.max(axis=1, keepdims=True)
    own = logits[np.arange(len(truth)), truth]

    def loss(temperature: float) -> float:
        return float((np.log(np.exp(logits / temperature).sum(axis=1)) - own / temperature).mean())

    return float(min(TEMPERATURES, key=loss))


def calibration_error(confidence: np.ndarray, right: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The expected calibration error: Σ over bins of |sum of confidences − number right| / N. All (N,)"""
    weights = np.ones(len(right)) if weights is None else weights
    place = np.minimum((confidence * CONFIDENCE_BINS).astype(int), CONFIDENCE_BINS - 1)
    gap = np.bincount(place, weights=weights * (confidence - right), minlength=CONFIDENCE_BINS)
    return float(np.abs(gap).sum() / weights.sum())


def _error_metric(confidence: np.ndarray, right: np.ndarray) -> Metric:
    low, high = bootstrap(lambda weights: calibration_error(confidence, right, weights), np.arange(len(right)))
    value = calibration_error(confidence, right)
    return Metric(value=value, low=min(low, value), high=max(high, value), chance=None, less_is_better=True)


def _diagram(result: ConfidenceResult) -> Chart:
    lines = [_reliability("as it is", result.confidence, result.right)]
    if result.confidence_after is not None:
        lines.append(_reliability("with fitted temperature", result.confidence_after, result.right))
    return Chart(
        title="Reliability diagram",
        explanation="How often the best label is right, by the probability that the model gives it. On the dotted "
        f"diagonal the two agree; below it the model is too sure. Bins of fewer than {MIN_BIN_IMAGES} images are left "
        "out.",
        x_label="probability claimed",
        y_label="share that was right",
        lines=[line for line in lines if line.x],
        diagonal=True,
    )


def _reliability(name: str, confidence: np.ndarray, right: np.ndarray) -> Line:
    place = np.minimum((confidence * CONFIDENCE_BINS).astype(int), CONFIDENCE_BINS - 1)
    filled = [number for number in range(CONFIDENCE_BINS) if (place == number).sum() >= MIN_BIN_IMAGES]
    return Line(
        name=name,
        x=[round(float(confidence[place == number].mean()), 4) for number in filled],
        y=[round(float(right[place == number].mean()), 4) for number in filled],
    )


def _warnings(given: TaskInput, measured: int) -> tuple[str, ...]:
    labelled = sum(pair.label is not None for pair in given.embedded.pairs)
    if labelled <= MAX_IMAGES:
        return ()
    return (f"Calibration was measured on {measured:,} of the {labelled:,} labelled images, drawn at random.",)
