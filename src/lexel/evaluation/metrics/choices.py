"""Choices: one image, its true caption, and wrong ones. Ties count by expectation, as everywhere."""

from collections.abc import Sequence

import numpy as np

from lexel.errors import ModelError


def choice_scores(images: np.ndarray, captions: np.ndarray, wrong: Sequence[np.ndarray]) -> np.ndarray:
    """Whether each image (N, D) is nearer to its caption (N, D) than to all of its wrong ones (W, D). (N,) in 0..1."""
    if not (np.isfinite(images).all() and np.isfinite(captions).all() and all(np.isfinite(w).all() for w in wrong)):
        raise ModelError(
            "The model's embeddings are not all finite numbers: it has diverged, or its weights are damaged."
        )
    found = np.empty(len(images))
    for row, (image, caption, others) in enumerate(zip(images, captions, wrong, strict=True)):
        cosines = np.concatenate([caption[None], others]) @ image  # one product: equal captions have equal cosines
        found[row] = 0.0 if cosines[0] < cosines.max() else 1 / np.count_nonzero(cosines == cosines[0])
    return found


def choice_chance(wrong: Sequence[Sequence[str]]) -> float:
    """What guessing gives."""
    return float(np.mean([1 / (1 + len(texts)) for texts in wrong]))
