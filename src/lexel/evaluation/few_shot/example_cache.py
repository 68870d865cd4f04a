"""Tip-Adapter (Zhang et al. 2022): an image is like a class as far as it looks like the examples of that class.

The affinity with one example is exp(−sharpness · (1 − cosine)). The paper sums those of a class; here it is their mean,
so that a class with more examples is not the likelier for that.
"""

import numpy as np

BLOCK_AFFINITIES = 2**23  # of images with examples, held at once: 32 MiB


def class_affinities(
    vectors: np.ndarray, examples: np.ndarray, classes: np.ndarray, sharpness: float, count: int
) -> np.ndarray:
    """The mean affinity (N, count) of images (N, D) with the examples (M, D) of each class; 0 for one without."""
    found = np.empty((len(vectors), count), np.float32)
    shares = np.zeros((len(examples), count), np.float32)
    shares[np.arange(len(examples)), classes] = 1 / np.bincount(classes, minlength=count)[classes]
    height = max(1, BLOCK_AFFINITIES // max(1, len(examples)))
    for start in range(0, len(vectors), height):
        cosines = vectors[start : start + height] @ examples.T
        found[start : start + height] = np.exp(sharpness * (cosines - 1)) @ shares
    return found
