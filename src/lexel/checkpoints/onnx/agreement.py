"""How near an export comes to torch, and whether that is near enough."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np

from lexel.checkpoints.model_folder.exported import Agreement, NumberFormat

LEAST_COSINE = 0.99  # mean, of 8-bit vectors to those in float32
MOST_RECALL_LOST = 0.005
LEAST_JUDGED = 100  # real images, without which no number format that loses something is offered
LARGEST_DIFFERENCE = 1e-4  # of any component of float32 vectors; usual are a few 1e-7
RECALL_AT = (1, 5, 10)
CALL = 16  # images

Vectors = Callable[[np.ndarray], np.ndarray]  # pixels or ids → vectors of any length


@dataclass(frozen=True)
class Inputs:
    """What both sides are given: images, and rows of ids, each as long as its caption."""

    pixels: np.ndarray  # (N, 3, H, W) float32
    rows: list[np.ndarray]  # (1, T) int64 each
    real: bool  # from the user, not drawn at random
    captioned: bool = False  # row i is a caption of image i

    def image_vectors(self, vectors: Vectors) -> np.ndarray:
        """(N, E) unit vectors of the images, in calls of one image and of many."""
        bounds = [0, *range(1, len(self.pixels), CALL), len(self.pixels)]
        return _unit(np.concatenate([vectors(self.pixels[start:end]) for start, end in pairwise(bounds)]))

    def text_vectors(self, vectors: Vectors) -> np.ndarray:
        """(N, E) unit vectors of the rows, in calls of one length each."""
        order = sorted(range(len(self.rows)), key=lambda index: self.rows[index].shape[1])
        calls = [
            np.concatenate([self.rows[index] for index in same])
            for _, same in groupby(order, key=lambda index: self.rows[index].shape[1])
        ]
        return _unit(np.concatenate([vectors(call) for call in calls]))[np.argsort(order)]


def compare(inputs: Inputs, ours: tuple[Vectors, Vectors], reference: tuple[np.ndarray, np.ndarray]) -> Agreement:
    """Compare two towers with the unit vectors (of images, of texts) that torch gives for the same inputs."""
    images, texts = inputs.image_vectors(ours[0]), inputs.text_vectors(ours[1])
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
    if inputs.captioned:
        recall, before = caption_recall(images, texts), caption_recall(*reference)
        return agreement.model_copy(update={"recall_of": "captions", "recall": recall, "recall_float32": before})
    recall = neighbour_recall(images, reference[0])
    return agreement.model_copy(update={"recall_of": "neighbours", "recall": recall, "recall_float32": 1.0})


def caption_recall(images: np.ndarray, texts: np.ndarray) -> float:
    """The mean of recall@1, 5 and 10 in both directions, where text i belongs to image i."""
    similarity = images @ texts.T
    hits = [
        (ranking > np.diag(ranking)[:, None]).sum(axis=1) < k
        for ranking in (similarity, similarity.T)
        for k in RECALL_AT
    ]
    return float(np.mean(hits))


def neighbour_recall(images: np.ndarray, reference: np.ndarray) -> float:
    """The share of images whose nearest neighbour in the reference is among their ten nearest."""
    ours, theirs = images @ images.T, reference @ reference.T
    np.fill_diagonal(ours, -np.inf)
    np.fill_diagonal(theirs, -np.inf)
    nearest = theirs.argmax(axis=1)
    of_nearest = ours[np.arange(len(ours)), nearest]
    return float(((ours > of_nearest[:, None]).sum(axis=1) < 10).mean())


def why_refused(wanted: NumberFormat, agreement: Agreement) -> str | None:
    """Why vectors in this number format are too far from float32 to be offered, or None."""
    if wanted == "float32":
        if agreement.largest_difference <= LARGEST_DIFFERENCE:
            return None
        return f"it differs from torch by up to {agreement.largest_difference:.1g}"
    if min(agreement.image_cosine, agreement.text_cosine) <= LEAST_COSINE:
        return (
            f"its mean cosine to float32 is {agreement.image_cosine:.4f} for images and {agreement.text_cosine:.4f} "
            f"for texts; {LEAST_COSINE} is the least"
        )
    if wanted == "float16":
        return None
    if not agreement.real or agreement.images < LEAST_JUDGED:
        return f"it was judged on {agreement.images if agreement.real else 0} real images; {LEAST_JUDGED} are the least"
    if agreement.recall is None or agreement.recall_float32 is None:
        return "its recall was not measured"
    if (lost := agreement.recall_float32 - agreement.recall) >= MOST_RECALL_LOST:
        return f"it loses {100 * lost:.2f} points of recall; less than {100 * MOST_RECALL_LOST} are allowed"
    return None


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
