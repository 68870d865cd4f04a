"""Embeddings as directions: what is compared is always of unit length, so that a product is a cosine."""

import numpy as np


def unit(vectors: np.ndarray) -> np.ndarray:
    """One vector (D,) or the rows of (N, D) at unit length, float32; zeros stay zeros."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
