"""Embeddings as directions: what is compared is always of unit length, so that a product is a cosine."""

from collections.abc import Sequence

import numpy as np

from lexel.errors import ModelError


def unit(vectors: np.ndarray) -> np.ndarray:
    """One vector (D,) or the rows of (N, D) at unit length, float32; zeros stay zeros."""
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite stays so, for `check_finite` to name
        norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
        return (vectors / np.maximum(norms, 1e-12)).astype(np.float32)


def check_finite(vectors: np.ndarray, names: Sequence[str], model: str) -> None:
    """Raise ModelError unless each of the vectors (N, D) is a direction: finite numbers, not all of them 0.

    What would be stored or compared is checked here, for a search compares one bad vector with everything, and a
    ranking with it is no ranking. `names` say what the vectors are of.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    bad = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
    if len(bad):
        raise ModelError(
            f"{model} gives {len(bad):,} of {len(vectors):,} vectors that are no directions (not a number, infinite or "
            f"all 0),\nfirst for {names[bad[0]]}. None of these is stored or used. The model is damaged, or its number "
            "format does not hold its values:\ntry --number-format float32, or another copy of the model."
        )
