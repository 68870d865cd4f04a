"""Pictures of any mode (palettes, transparency, CMYK, LAB, greys of many bits) as RGB, each convention in its way."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from PIL import Image

Convention = Literal["lexel", "open_clip", "transformers"]


def as_convention(image: Image.Image, convention: Convention) -> Image.Image:
    """The picture in RGB, converted as the convention does (see `Preprocessing`); OpenCLIP's keeps the mode."""
    return _CONVERSIONS[convention](image)


def _flatten(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_scale_to_bytes(np.asarray(image))).convert("RGB")
    return _lay_over_white(image)


def _lay_over_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return as_rgb(image)
    image = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def _as_transformers(image: Image.Image) -> Image.Image:
    if image.mode == "LAB":
        image = image.convert("RGBA")  # whose A it takes for an alpha channel
    return _lay_over_white(image)


def as_rgb(image: Image.Image) -> Image.Image:
    """The picture in RGB as Pillow converts it, which drops transparency."""
    return image if image.mode == "RGB" else image.convert("RGB")


def _leave(image: Image.Image) -> Image.Image:
    return image


_CONVERSIONS: dict[Convention, Callable[[Image.Image], Image.Image]] = {
    "lexel": _flatten,
    "open_clip": _leave,
    "transformers": _as_transformers,
}


def _scale_to_bytes(grey: np.ndarray) -> np.ndarray:
    real = np.issubdtype(grey.dtype, np.floating)
    grey = np.nan_to_num(grey.astype(np.float32), posinf=0, neginf=0)
    low, high = 0.0, float(grey.max())
    full = (1.0, 255.0) if real else (65535.0,)
    if grey.min() >= 0 and high <= full[-1]:
        high = next(top for top in full if high <= top)
    else:
        low = float(grey.min())
    return np.rint((grey - low) * (255 / max(high - low, 1e-12))).astype(np.uint8)
