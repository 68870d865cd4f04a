"""Arrays as the bytes of a safetensors file, whatever their layout in memory."""

from collections.abc import Mapping

import numpy as np


def safetensors_bytes(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> bytes:
    """The content of a safetensors file with these arrays.

    `safetensors.numpy.save` writes the memory of an array as it lies and its shape as it is seen: of a transposed or
    sliced array that is another array. Here every array is laid out by its shape first.
    """
    from safetensors.numpy import save

    laid_out = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    return save(laid_out, dict(metadata) if metadata is not None else None)
