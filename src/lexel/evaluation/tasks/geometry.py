"""Geometry of the shared space: how images and texts lie in it, whatever task they serve.

Modality gap: the distance between the mean image and the mean text (Liang et al. 2022). Alignment and uniformity:
mean squared distance of pairs, and log mean exp(−2 d²) of random ones (Wang and Isola 2020). Effective dimension: the
participation ratio (Σλ)² / Σλ² of the covariance's eigenvalues. Hubness: skewness of how often an item is among the
ten nearest (Radovanović et al. 2010).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lexel.data.captions import fill
from lexel.errors import ModelError
from lexel.evaluation.metrics.metric import JACKKNIFE_GROUPS, Metric, jackknife, score_blocks
from lexel.evaluation.report.sections import Numbers, TaskSection
from lexel.evaluation.tasks.base import TaskInput, TaskRequest
from lexel.terminal import counted

MAX_PAIRS = 2000  # that are looked at, drawn at random
MIN_PAIRS = 20
NEAREST = 10
WORDS = {
    "modality_gap": "Distance between the mean image and the mean text",
    "alignment": "Mean squared distance of a pair",
    "uniformity_images": "Uniformity of images, lower is more even",
    "uniformity_texts": "Uniformity of texts, lower is more even",
    "effective_dimension_images": "Effective dimension of images",
    "effective_dimension_texts": "Effective dimension of texts",
    "hubness": "Hubness: skewness of how often an image is found",
}
Statistic = Callable[[np.ndarray, np.ndarray], float]


class Geometry:
    """The task: enough images with captions or labels."""

    name = "geometry"
    needs = f"{MIN_PAIRS} images with a caption or a label"

    def fits(self, wanted: TaskRequest) -> bool:
        return sum(bool(pair.captions) or pair.label is not None for pair in wanted.source.pairs) >= MIN_PAIRS

    def measure(self, given: TaskInput) -> TaskSection:
        images, texts = _pairs(given)
        metrics = {name: _metric(statistic, images, texts) for name, statistic in STATISTICS.items()}
        gap, width = metrics["modality_gap"], metrics["effective_dimension_images"]
        return TaskSection(
            task=self.name,
            title="How images and texts lie in the shared space (geometry)",
            headline=(
                f"Images and texts lie {gap.value:.2f} apart on average (0 to 2); images fill about "
                f"{width.value:.0f} of the {images.shape[1]:,} dimensions."
            ),
            blocks=[Numbers(title=f"Of {counted(len(images), 'pair')}", metrics=metrics, words=WORDS)],
            method=(
                f"Geometry: at most {MAX_PAIRS:,} pairs, each an image with its first caption or its label in the "
                f"first prompt; intervals by a jackknife over {JACKKNIFE_GROUPS} groups.",
            ),
            headline_metrics=[],
        )


def _pairs(given: TaskInput) -> tuple[np.ndarray, np.ndarray]:
    """(N, D) images and the (N, D) texts that belong to them."""
    rows = np.random.default_rng(given.seed).permutation(len(given.embedded.pairs))[:MAX_PAIRS]
    pairs = [given.embedded.pairs[row] for row in rows]
    texts = [pair.captions[0] if pair.captions else fill(given.templates[0], str(pair.label)) for pair in pairs]
    distinct = list(dict.fromkeys(texts))
    place = {text: i for i, text in enumerate(distinct)}
    vectors = given.embedded.embed_texts(given.encoder, distinct)[[place[text] for text in texts]]
    images = given.embedded.vectors[rows]
    if not (np.isfinite(images).all() and np.isfinite(vectors).all()):
        raise ModelError("The model's embeddings are not all finite numbers: its weights are damaged.")
    return images, vectors


def modality_gap(images: np.ndarray, texts: np.ndarray) -> float:
    """‖mean image − mean text‖."""
    return float(np.linalg.norm(images.mean(axis=0, dtype=np.float64) - texts.mean(axis=0, dtype=np.float64)))


def alignment(images: np.ndarray, texts: np.ndarray) -> float:
    """Mean squared distance of the pairs, 0 to 4."""
    return float(((images - texts) ** 2).sum(axis=1).mean())


def uniformity(vectors: np.ndarray) -> float:
    """log of the mean of exp(−2 ‖x − y‖²) over pairs of different rows; 0 when all are equal."""
    count = len(vectors)
    total = sum(
        float(np.exp(-2 * np.maximum(2 - 2 * cosines, 0)).sum(dtype=np.float64))
        for _, cosines in score_blocks(vectors, vectors)
    )
    own = float(np.exp(-2 * np.maximum(2 - 2 * (vectors**2).sum(axis=1), 0)).sum(dtype=np.float64))
    return float(np.log((total - own) / (count * (count - 1))))


def effective_dimension(vectors: np.ndarray) -> float:
    """(Σλ)² / Σλ² of the eigenvalues of the covariance: 1 for a line, D for a ball; 0 when all rows are equal."""
    centred = vectors - vectors.mean(axis=0, dtype=np.float64)
    covariance = centred.T @ centred / len(vectors)
    squares = float((covariance**2).sum())
    return float(np.trace(covariance) ** 2 / squares) if squares > 1e-20 else 0.0


def hubness(images: np.ndarray, texts: np.ndarray) -> float:
    """Skewness of how many texts have each image among their ten nearest; 0 where none is found more than others."""
    count = min(NEAREST, len(images) - 1)
    found = np.zeros(len(images))
    for _, cosines in score_blocks(texts, images):
        nearest = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        found += np.bincount(nearest.ravel(), minlength=len(images))
    spread = found.std()
    return float((((found - found.mean()) / spread) ** 3).mean()) if spread > 0 else 0.0


STATISTICS: dict[str, Statistic] = {
    "modality_gap": modality_gap,
    "alignment": alignment,
    "uniformity_images": lambda images, _: uniformity(images),
    "uniformity_texts": lambda _, texts: uniformity(texts),
    "effective_dimension_images": lambda images, _: effective_dimension(images),
    "effective_dimension_texts": lambda _, texts: effective_dimension(texts),
    "hubness": hubness,
}


def _metric(statistic: Statistic, images: np.ndarray, texts: np.ndarray) -> Metric:
    value, low, high = jackknife(lambda rows: statistic(images[rows], texts[rows]), len(images))
    return Metric(value=value, low=low, high=high, chance=None, unit="number")
