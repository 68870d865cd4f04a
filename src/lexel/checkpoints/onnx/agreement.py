"""How near an export comes to torch, and whether that is near enough.

Recall compares orders of scores, and scores that differ by less than rounding have none: which of two is the larger
changes with the processor. They count as equal, and what is equal counts by expectation, so that a model whose vectors
are all the same is at chance.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np

from lexel.checkpoints.model_folder.exported import Agreement, NumberFormat
from lexel.unit_vectors import unit

MIN_MEAN_COSINE = 0.99  # of 8-bit vectors to those in float32
MAX_RECALL_LOSS = 0.005  # as a share, 0..1
MIN_JUDGED_IMAGES = 100  # real ones, without which no number format that loses something is offered
MAX_COMPONENT_DIFFERENCE = 1e-4  # of float32 unit vectors; usual are a few 1e-7
# Cosines that are equal in float32: vectors whose components differ by a few 1e-7 have cosines that differ by
# up to about sqrt(1024) times as much.
COSINE_ROUNDING = 1e-5
RECALL_KS = (1, 5, 10)
NEIGHBOUR_K = 10
NO_NEIGHBOUR = -2.0  # below every cosine: an image is not its own neighbour
IMAGES_PER_CALL = 16

TowerFunction = Callable[[np.ndarray], np.ndarray]  # pixels or ids → vectors of any length
TowerVectors = tuple[np.ndarray, np.ndarray]  # unit vectors of images and of texts


@dataclass(frozen=True)
class Inputs:
    """What both sides are given: images, and rows of ids, each as long as its caption."""

    pixels: np.ndarray  # (N, 3, H, W) float32
    rows: list[np.ndarray]  # (1, T) int64 each
    real: bool  # from the user, not drawn at random
    captioned: bool = False  # row i is a caption of image i

    def image_vectors(self, vectors: TowerFunction) -> np.ndarray:
        """(N, E) unit vectors of the images, in calls of one image and of many."""
        bounds = [0, *range(1, len(self.pixels), IMAGES_PER_CALL), len(self.pixels)]
        return unit(np.concatenate([vectors(self.pixels[start:end]) for start, end in pairwise(bounds)]))

    def text_vectors(self, vectors: TowerFunction) -> np.ndarray:
        """(N, E) unit vectors of the rows, in calls of one length each."""
        order = sorted(range(len(self.rows)), key=lambda index: self.rows[index].shape[1])
        calls = [
            np.concatenate([self.rows[index] for index in same])
            for _, same in groupby(order, key=lambda index: self.rows[index].shape[1])
        ]
        return unit(np.concatenate([vectors(call) for call in calls]))[np.argsort(order)]


def compare(inputs: Inputs, ours: tuple[TowerFunction, TowerFunction], reference: TowerVectors) -> Agreement | None:
    """Compare two towers with the unit vectors (of images, of texts) that torch gives for the same inputs.

    None where the towers give numbers that are not finite.
    """
    images, texts = inputs.image_vectors(ours[0]), inputs.text_vectors(ours[1])
    if not (np.isfinite(images).all() and np.isfinite(texts).all()):
        return None
    image_cosines, text_cosines = (images * reference[0]).sum(axis=1), (texts * reference[1]).sum(axis=1)
    largest = max(np.abs(images - reference[0]).max(), np.abs(texts - reference[1]).max())
    agreement = Agreement(
        images=len(images),
        texts=len(texts),
        real=inputs.real,
        image_cosine=float(image_cosines.mean()),
        image_cosine_least=float(image_cosines.min()),
        text_cosine=float(text_cosines.mean()),
        text_cosine_least=float(text_cosines.min()),
        largest_difference=float(largest),
    )
    if not inputs.real:
        return agreement
    recall_of = caption_recall if inputs.captioned else neighbour_recall
    words = "captions" if inputs.captioned else "neighbours"
    recall, before = recall_of((images, texts), reference), recall_of(reference, reference)
    return agreement.model_copy(update={"recall_of": words, "recall": recall, "recall_float32": before})


def caption_recall(vectors: TowerVectors, reference: TowerVectors) -> float:
    """The mean of recall@1, 5 and 10 in both directions, where text i belongs to image i. Vectors (N, E) of each.

    Where a score differs from the reference's by rounding alone, the reference's is taken.
    """
    scores = _scores(*vectors, *reference)
    hits = [hit_chance(ranked, np.diag(ranked), k) for ranked in (scores, scores.T) for k in RECALL_KS]
    return float(np.mean(hits))


def neighbour_recall(vectors: TowerVectors, reference: TowerVectors) -> float:
    """The share of images whose nearest neighbour in the reference is among their ten nearest; see caption_recall."""
    theirs = _scores(reference[0], reference[0], reference[0], reference[0])
    ours = _scores(vectors[0], vectors[0], reference[0], reference[0])
    for scores in (ours, theirs):
        np.fill_diagonal(scores, NO_NEIGHBOUR)
    of_nearest = ours[np.arange(len(ours)), theirs.argmax(axis=1)]
    return float(hit_chance(ours, of_nearest, NEIGHBOUR_K).mean())


def hit_chance(scores: np.ndarray, own: np.ndarray, k: int) -> np.ndarray:
    """The probability that the entry with the score own[i] is among the k largest of row i, equal ones in any order.

    scores (N, M), own (N,) → (N,) in 0..1.
    """
    above = (scores > own[:, None] + COSINE_ROUNDING).sum(axis=1)
    equal = (np.abs(scores - own[:, None]) <= COSINE_ROUNDING).sum(axis=1)  # itself is one of them
    return np.clip((k - above) / equal, 0, 1)


def _scores(left: np.ndarray, right: np.ndarray, left_reference: np.ndarray, right_reference: np.ndarray) -> np.ndarray:
    """Cosines (N, M) in float64; where they differ from the reference's by rounding alone, the reference's."""
    scores, reference = _cosines(left, right), _cosines(left_reference, right_reference)
    return np.where(np.abs(scores - reference) <= COSINE_ROUNDING, reference, scores)


def _cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return left.astype(np.float64) @ right.astype(np.float64).T


def why_refused(wanted: NumberFormat, agreement: Agreement | None) -> str | None:
    """Why vectors in this number format are too far from float32 to be offered, or None."""
    if agreement is None:
        return "it gives numbers that are not finite"
    if wanted == "float32":
        if agreement.largest_difference <= MAX_COMPONENT_DIFFERENCE:
            return None
        return f"it differs from torch by up to {agreement.largest_difference:.1g}"
    if min(agreement.image_cosine, agreement.text_cosine) <= MIN_MEAN_COSINE:
        return (
            f"its mean cosine to float32 is {agreement.image_cosine:.4f} for images and {agreement.text_cosine:.4f} "
            f"for texts; {MIN_MEAN_COSINE} is the least"
        )
    if wanted == "float16":
        return None
    if not agreement.real or agreement.images < MIN_JUDGED_IMAGES:
        judged = agreement.images if agreement.real else 0
        return f"it was judged on {judged} real images; {MIN_JUDGED_IMAGES} are the least"
    if agreement.recall is None or agreement.recall_float32 is None:
        return "its recall was not measured"
    if (lost := agreement.recall_float32 - agreement.recall) >= MAX_RECALL_LOSS:
        return f"it loses {100 * lost:.2f} points of recall; less than {100 * MAX_RECALL_LOSS} are allowed"
    return None
