"""Fitting what a model's cosines mean, on held-out pairs.

Every image is held against every text of the source, so no negative is wasted: the true pairs together weigh half, the
others half. Cosines are counted in fine bins, which makes the fit as quick for millions of them as for few. Curves of
more parameters and free monotone ones did no better on unseen pairs, and worse from few (docs/experiments.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lexel.batches import ceil_div
from lexel.calibration import Calibration, sigmoid
from lexel.data.captions import fill, meaning_of_label
from lexel.data.pairs import Pair, Source
from lexel.errors import DataError, ModelError
from lexel.evaluation.embedded_source import EmbeddedSource, embed_source
from lexel.evaluation.metrics.metric import score_blocks
from lexel.evaluation.texts.templates import templates as read_templates

if TYPE_CHECKING:
    from lexel.encoder import Encoder

MIN_PAIRS = 20  # with fewer, the error on unseen pairs was up to twice that of all
MAX_PAIRS = 5000  # two parameters need no more
COSINE_BINS = 2**14  # 0.00012 wide
CALIBRATION_FOLDS = 5
RELIABILITY_BINS = 15  # of probabilities
NEWTON_STEPS = 100
BIN_CENTRES = (np.arange(COSINE_BINS) + 0.5) * (2 / COSINE_BINS) - 1  # cosine of each bin


def calibrate(
    encoder: Encoder, source: Source | EmbeddedSource, *, templates: str | Sequence[str] = "photo"
) -> Calibration:
    """Fit the probability of a match on pairs that the model was not trained on.

    Pairs without captions are asked for by their label, in one of the `templates`. Raises DataError when the source has
    too few pairs or the model does not separate its true pairs from random ones.

    Example:
        encoder.calibration = lexel.calibrate(encoder, lexel.read_source("shop.csv/val"))
        encoder.match(["a.jpg"], ["a red shoe"])                # (1, 1) probabilities
    """
    embedded = embed_source(encoder, _at_most(source))
    texts, texts_of_image = _texts(embedded.pairs, read_templates(templates))
    if len(embedded.pairs) < MIN_PAIRS or len(texts) < 2:
        raise DataError(
            f"{embedded.source.name} has {len(embedded.pairs)} readable pairs with {len(texts)} distinct texts: "
            f"too few to calibrate on.\nGive at least {MIN_PAIRS} pairs that the model was not trained on."
        )
    vectors = encoder.embed_texts(texts)
    if not (np.isfinite(embedded.vectors).all() and np.isfinite(vectors).all()):
        raise ModelError(f"{encoder.name} gives embeddings that are not finite numbers: its weights are damaged.")
    counts = _count(embedded.vectors, vectors, texts_of_image)
    slope, intercept = fit(counts.sum(axis=0))
    if slope <= 0:
        raise DataError(
            f"{encoder.name} does not separate true pairs of {embedded.source.name} from random ones, so a cosine says "
            "nothing.\nGive pairs of the kind that the model was trained for, or train it longer."
        )
    return Calibration(
        slope=slope,
        intercept=intercept,
        pairs=len(embedded.pairs),
        expected_calibration_error=_error_on_unseen(counts),
        source=embedded.source.name,
    )


def fit(counts: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of the log-odds of a match, for counts (2, COSINE_BINS) of other and of true pairs' cosines.

    Both kinds weigh the same. Targets are drawn in by Platt's rule (1999), so that few pairs or perfectly separated
    ones do not make the curve a step. A slope of 0 or less means that the cosines do not separate the two apart.
    """
    totals = counts.sum(axis=1)
    if not totals.all():
        return 0.0, 0.0
    # Others are plentiful but come from as few images as the true ones, so both are drawn in by the same.
    target = (totals[1] + 1) / (totals[1] + 2)
    true, other = counts[1] / totals[1], counts[0] / totals[0]
    weight, wanted = true + other, true * target + other * (1 - target)
    used = weight > 0
    weight, wanted, x = weight[used], wanted[used], BIN_CENTRES[used]
    centre, spread = np.average(x, weights=weight), x.std()
    if spread == 0:
        return 0.0, 0.0
    design = np.stack([(x - centre) / spread, np.ones_like(x)])  # (2, used bins)
    parameters = np.zeros(2)
    loss = _loss(parameters, design, weight, wanted)
    for _ in range(NEWTON_STEPS):
        p = sigmoid(parameters @ design)
        gradient = design @ (weight * p - wanted)
        curvature = (design * (weight * p * (1 - p))) @ design.T
        step = np.linalg.solve(curvature + 1e-12 * np.eye(2), gradient)
        while (lower := _loss(parameters - step, design, weight, wanted)) > loss and np.abs(step).max() > 1e-9:
            step /= 2
        parameters, loss = parameters - step, lower
        if np.abs(step).max() < 1e-9:
            break
    slope = parameters[0] / spread
    return float(slope), float(parameters[1] - slope * centre)


def calibration_error(counts: np.ndarray, slope: float, intercept: float) -> float:
    """Expected calibration error (Guo et al. 2017) of the curve on counts (2, bins), both kinds weighing the same."""
    return _gap(*_reliability(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), slope, intercept))


def _error_on_unseen(counts: np.ndarray) -> float:
    """The error of curves fitted without one fold of the images, on that fold. counts (folds, 2, bins)"""
    shares = counts / counts.sum(axis=(0, 2))[:, None]
    said, seen = np.zeros(RELIABILITY_BINS), np.zeros(RELIABILITY_BINS)
    for fold in range(len(counts)):
        of_fold = _reliability(shares[fold], *fit(counts.sum(axis=0) - counts[fold]))
        said, seen = said + of_fold[0], seen + of_fold[1]
    return _gap(said, seen)


def _reliability(shares: np.ndarray, slope: float, intercept: float) -> tuple[np.ndarray, np.ndarray]:
    """For each bin of probabilities, what was said and what is true, weighed by shares (2, COSINE_BINS)."""
    p = sigmoid(slope * BIN_CENTRES + intercept)
    place = np.minimum((p * RELIABILITY_BINS).astype(int), RELIABILITY_BINS - 1)
    said = np.bincount(place, weights=p * shares.sum(axis=0), minlength=RELIABILITY_BINS)
    return said, np.bincount(place, weights=shares[1], minlength=RELIABILITY_BINS)


def _gap(said: np.ndarray, seen: np.ndarray) -> float:
    return float(np.abs(said - seen).sum() / 2)  # both kinds together weigh 2


def _loss(parameters: np.ndarray, design: np.ndarray, weight: np.ndarray, wanted: np.ndarray) -> float:
    log_odds = parameters @ design
    return float((weight * np.logaddexp(0, log_odds) - wanted * log_odds).sum())


def _at_most(source: Source | EmbeddedSource) -> Source | EmbeddedSource:
    """At most MAX_PAIRS of the pairs, spread evenly over them."""
    if isinstance(source, EmbeddedSource):
        return source
    every = ceil_div(len(source.pairs), MAX_PAIRS)
    return Source(source.name, source.pairs[::every], source.notes, source.split) if every > 1 else source


def _texts(pairs: Sequence[Pair], prompts: Sequence[str]) -> tuple[list[str], list[list[int]]]:
    """The distinct texts, and for each image those that are true of it: all that mean what one of its own means."""
    number: dict[str, int] = {}  # of each distinct meaning
    texts: list[str] = []
    said: list[set[int]] = []
    labels: dict[str, int] = {}
    for pair in pairs:
        if pair.captions:
            own = [(" ".join(caption.lower().split()), caption) for caption in pair.captions]
        else:
            turn = labels.setdefault(pair.label or "", len(labels))
            own = [(meaning_of_label(pair.label or ""), fill(prompts[turn % len(prompts)], pair.label or ""))]
        mine = set()
        for meaning, text in own:
            if meaning not in number:
                number[meaning] = len(texts)
                texts.append(text)
            mine.add(number[meaning])
        said.append(mine)
    return texts, [sorted(mine) for mine in said]


def _count(images: np.ndarray, texts: np.ndarray, texts_of_image: list[list[int]]) -> np.ndarray:
    """How many cosines of other and of true pairs fall into each bin, by fold of the image. → (folds, 2, bins)"""
    counts = np.zeros((CALIBRATION_FOLDS, 2, COSINE_BINS))
    for rows, cosines in score_blocks(images, texts):
        place = np.clip(((cosines + 1) * (COSINE_BINS / 2)).astype(np.int32), 0, COSINE_BINS - 1)
        for row, own in enumerate(texts_of_image[rows]):
            of_fold = counts[(rows.start + row) % CALIBRATION_FOLDS]
            true = np.bincount(place[row, own], minlength=COSINE_BINS)
            of_fold[1] += true
            of_fold[0] += np.bincount(place[row], minlength=COSINE_BINS) - true
    return counts
