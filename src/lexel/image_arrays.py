"""Arrays and tensors of pixels as Pillow images, where their meaning is unambiguous; no torch is imported.

Layout: (H, W), (H, W, C) or (C, H, W) with C of 1, 3 or 4; of NumPy arrays that fit both, the channels are last.
Values: uint8, or floating point in 0..1. Whatever else is refused with the line that converts it.
"""

from typing import Any

import numpy as np
from PIL import Image

from lexel.errors import UsageError

CHANNELS = (1, 3, 4)

_CLIPPED = "array.clip(0, 255).astype('uint8')"
_CONVERSIONS = {"bool": "array.astype('uint8') * 255", "uint16": "(array // 257).astype('uint8')"}


def from_array(array: np.ndarray) -> Image.Image:
    """A Pillow image, L, RGB or RGBA, of pixels in an array. Raises UsageError that says how to convert it.

    from_array(np.zeros((4, 6, 3), np.uint8)).size  →  (6, 4)
    """
    pixels = _to_bytes(_channels_last(array))
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1:] == (1,) else pixels))


def is_tensor(value: Any) -> bool:
    """Whether it is a torch.Tensor. Does not import torch."""
    return any(f"{kind.__module__}.{kind.__qualname__}" == "torch.Tensor" for kind in type(value).__mro__)


def from_tensor(tensor: Any) -> Image.Image:
    """A Pillow image of a torch.Tensor on any device. Raises UsageError where its layout or values are ambiguous."""
    shape = tuple(tensor.shape)
    if len(shape) == 3 and shape[0] in CHANNELS and shape[2] in CHANNELS:
        raise UsageError(
            f"an image tensor of shape {shape} may have its channels first or last. Give an array (H, W, C):"
            " tensor.permute(1, 2, 0).numpy() where they are first"
        )
    plain = tensor.detach().cpu()
    return from_array((plain.float() if plain.is_floating_point() else plain).numpy())


def _channels_last(array: np.ndarray) -> np.ndarray:
    if array.size and (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in CHANNELS)):
        return array if array.ndim == 3 else array[..., None]
    if array.size and array.ndim == 3 and array.shape[0] in CHANNELS:
        return array.transpose(1, 2, 0)
    raise UsageError(
        f"an image array must have the shape (H, W), (H, W, C) or (C, H, W) with 1, 3 or 4 channels; this one is"
        f" {array.dtype} {array.shape}."
    )


def _to_bytes(array: np.ndarray) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if not np.issubdtype(array.dtype, np.floating):
        raise UsageError(
            f"an image array must be uint8, or floating point in 0..1; this one is {array.dtype}."
            f" Convert it: {_CONVERSIONS.get(str(array.dtype), _CLIPPED)}"
        )
    low, high = float(array.min()), float(array.max())
    if low >= 0 and high <= 1:
        return np.rint(array.astype(np.float32) * 255).astype(np.uint8)
    if low >= 0 and high <= 255:
        advice = "Convert it: array.round().astype('uint8')"
    else:
        advice = "It looks normalised: give the picture as it was before, the encoder normalises it itself."
    raise UsageError(
        f"an image array of {array.dtype} must hold 0..1; this one holds {low:.3g} to {high:.3g}. {advice}"
    )
