"""CLIPScore and RefCLIPScore (Hessel et al. 2021): how near a caption is to its picture, and to its references too.

They are computed here with the captioner's own CLIP, which flatters what that model has chosen.
"""

from collections.abc import Sequence

import numpy as np

WEIGHT = 2.5  # as published: it stretches the cosines of ViT-B/32 over 0..1; other models' lie elsewhere


def clip_scores(pictures: np.ndarray, captions: np.ndarray) -> np.ndarray:
    """(N,) float64, 0 or more: of unit vectors (N, E) of pictures and their captions."""
    return WEIGHT * np.maximum((pictures.astype(np.float64) * captions).sum(axis=1), 0)


def ref_clip_scores(pictures: np.ndarray, captions: np.ndarray, references: Sequence[np.ndarray]) -> np.ndarray:
    """(N,) float64: the harmonic mean of CLIPScore and the greatest cosine with a reference; those are (R, E) each."""
    near = np.array([max(0.0, float((one @ caption).max())) for one, caption in zip(references, captions, strict=True)])
    scores = clip_scores(pictures, captions)
    sums = scores + near
    return np.divide(2 * scores * near, sums, out=np.zeros_like(sums), where=sums > 0)
