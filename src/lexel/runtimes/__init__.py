"""How towers are run. A Runtime is all that an Encoder knows of them: pixels to vectors, ids to vectors.

A number format is one arithmetic, whichever runtime does it: runtimes may use the same name when their unit vectors
agree, with those of torch and with each other, to within

| number format | components | cosine to float32 |                                                                |
|---------------|------------|-------------------|----------------------------------------------------------------|
| float32       | 1e-5       | 1                 |                                                                |
| float16       | 1e-3       | > 0.99999         | weights rounded to float16, arithmetic in float32              |
| bfloat16      | 1e-2       | > 0.9999          | products in bfloat16, sums in float32                          |
| int8-…        | 1e-2       | > 0.99, checked   | 8-bit products, as calibrated; named by the hash of its files  |
"""

from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np

from lexel.batches import Batching


class Runtime(Protocol):
    """Two towers made ready on some device in some number format. Both may be called by several threads at once."""

    @property
    def number_format(self) -> str:
        """ "float32", "bfloat16", …: part of the fingerprint."""
        ...

    @property
    def logit_scale(self) -> float:
        """Factor of the cosines, not its logarithm."""
        ...

    @property
    def logit_bias(self) -> float | None:
        """Set for models trained with the sigmoid loss."""
        ...

    @property
    def batching(self) -> Batching:
        """How its work is best cut into calls."""
        ...

    def lane(self) -> AbstractContextManager[None]:
        """Within it, calls from this thread keep to one core."""
        ...

    def image_vectors(self, pixels: np.ndarray) -> np.ndarray:
        """Normalised pixels (B, 3, H, W) float32 → (B, E) float32, not yet of unit length."""
        ...

    def text_vectors(self, ids: np.ndarray) -> np.ndarray:
        """Token ids (B, T) int64 → (B, E) float32, not yet of unit length."""
        ...
