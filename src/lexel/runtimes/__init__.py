"""How towers are run. A Runtime is all that an Encoder knows of them: pixels to vectors, ids to vectors."""

from typing import Protocol

import numpy as np


class Runtime(Protocol):
    """Two towers made ready on some device in some number format."""

    number_format: str  # "float32", "bfloat16", …: part of the fingerprint

    @property
    def logit_scale(self) -> float:
        """Factor of the cosines, not its logarithm."""
        ...

    @property
    def logit_bias(self) -> float | None:
        """Set for models trained with the sigmoid loss."""
        ...

    def image_vectors(self, pixels: np.ndarray) -> np.ndarray:
        """Normalised pixels (B, 3, H, W) float32 → (B, E) float32, not yet of unit length."""
        ...

    def text_vectors(self, ids: np.ndarray) -> np.ndarray:
        """Token ids (B, T) int64 → (B, E) float32, not yet of unit length."""
        ...
