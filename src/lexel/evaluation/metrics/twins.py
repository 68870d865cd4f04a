"""Twins: two images and two captions of the same words or nearly so, each caption true of one image alone.

What is measured follows Winoground (Thrush et al. 2022). Ties count by expectation, as everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np

from lexel.errors import ModelError


@dataclass(frozen=True, slots=True)
class TwinScores:
    """How often captions and images of N twins find each other; each value is 0 or 1, between them at ties."""

    caption: np.ndarray  # (N, 2) whether each image is nearer to its own caption
    captions: np.ndarray  # (N,) whether both images are: the text score
    images: np.ndarray  # (N,) whether both captions are nearer to their own image: the image score
    group: np.ndarray  # (N,) whether all of that is so


# What guessing gives for each of the scores.
CHANCES = {"caption": 1 / 2, "captions": 1 / 4, "images": 1 / 4, "group": 1 / 6}


def twin_scores(images: np.ndarray, captions: np.ndarray) -> TwinScores:
    """Score twins by the cosines of images (N, 2, D) with captions (N, 2, D); image i belongs to caption i."""
    if not (np.isfinite(images).all() and np.isfinite(captions).all()):
        raise ModelError(
            "The model's embeddings are not all finite numbers: it has diverged, or its weights are damaged."
        )
    cosines = np.einsum("nid,ncd->nic", images, captions)
    own = np.einsum("nii->ni", cosines)
    other_caption = cosines[:, [0, 1], [1, 0]]
    caption, image = _wins(own, other_caption), _wins(own, other_caption[:, ::-1])
    return TwinScores(caption, caption.prod(axis=1), image.prod(axis=1), _all_above(own, other_caption))


def _wins(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.where(own == other, 0.5, own > other).astype(np.float64)


def _all_above(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The probability that both of own (N, 2) stand above both of other (N, 2), ties in random order. (N,)"""
    low, high = own.min(axis=1), other.max(axis=1)
    orders = np.array([[1.0 if not (a and b) else 1 / comb(a + b, a) for b in range(3)] for a in range(3)])
    tied = orders[(own == low[:, None]).sum(axis=1), (other == high[:, None]).sum(axis=1)]
    return np.where(low == high, tied, low > high).astype(np.float64)
