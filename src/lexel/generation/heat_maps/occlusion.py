"""Heat maps by occlusion (Zeiler and Fergus 2014): what is covered, and by how much does the cosine fall?

It asks nothing of a tower but vectors, so it serves exported models and the towers of other libraries. Windows of two
sizes are moved over the picture, filled with the picture's mean colour; a pixel's value is the mean fall over all the
windows that cover it.
"""

from itertools import product

import numpy as np

from lexel.encoder import Encoder
from lexel.unit_vectors import unit

WINDOWS = (0.25, 0.375)  # of the side of the square
STEPS_IN_WINDOW = 4  # a window moves by a quarter of its side
BATCH = 64  # covered pictures in a call


def occlusion_maps(encoder: Encoder, pixels: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """(3, H, W) normalised pixels and (N, D) unit vectors of texts → (N, H, W); falls of the cosine, not below 0."""
    whole = unit(encoder.runtime.image_vectors(pixels[None]))[0]
    total = np.zeros((len(texts), *pixels.shape[1:]))
    for share in WINDOWS:
        total += _falls(encoder, pixels, whole, texts, max(1, round(share * pixels.shape[-1])))
    return np.clip(total / len(WINDOWS), 0, None).astype(np.float32)


def _falls(encoder: Encoder, pixels: np.ndarray, whole: np.ndarray, texts: np.ndarray, window: int) -> np.ndarray:
    side = pixels.shape[-1]
    starts = range(-(window // 2), side - window // 2, max(1, window // STEPS_IN_WINDOW))
    spans = [slice(max(0, start), min(side, start + window)) for start in starts]
    places = list(product(spans, spans))
    fall, covered = np.zeros((len(texts), side, side)), np.zeros((side, side))
    colour = pixels.mean(axis=(1, 2), keepdims=True)
    for start in range(0, len(places), BATCH):
        batch = places[start : start + BATCH]
        pictures = np.repeat(pixels[None], len(batch), axis=0)
        for picture, (rows, columns) in zip(pictures, batch, strict=True):
            picture[:, rows, columns] = colour
        vectors = unit(encoder.runtime.image_vectors(pictures))
        for (rows, columns), drop in zip(batch, (whole - vectors) @ texts.T, strict=True):
            fall[:, rows, columns] += drop[:, None, None]
            covered[rows, columns] += 1
    return fall / covered
