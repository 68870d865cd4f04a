"""One picture in every mode that Pillow has, with and without transparency, at awkward sizes."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "I;16"]
# Odd sides, a single pixel, smaller than the target, slivers, and one whose crop does not halve.
SIZES = [(97, 64), (61, 122), (1, 1), (5, 9), (640, 3), (3, 500), (64, 64), (101, 33), (48, 201), (71, 64)]


def pictures(sizes: list[tuple[int, int]] = SIZES) -> Iterator[tuple[str, Image.Image]]:
    """A name and a picture. Detail of many widths, so that a shift of one pixel shows."""
    for size in sizes:
        for mode in MODES:
            yield f"{mode} {size[0]}x{size[1]}", in_mode(mode, size)
        yield f"P with a clear colour {size[0]}x{size[1]}", _with_clear_colour(in_mode("P", size), 7)
        yield f"RGB with a clear colour {size[0]}x{size[1]}", _with_clear_colour(in_mode("RGB", size), (0, 0, 0))
        yield f"L with a clear grey {size[0]}x{size[1]}", _with_clear_colour(in_mode("L", size), 0)


def in_mode(mode: str, size: tuple[int, int]) -> Image.Image:
    channels = _channels(*size)
    red = channels[..., 0]
    match mode:
        case "I;16":
            return Image.fromarray(red.astype(np.uint16) * 257 // 3)
        case "I":
            return Image.fromarray(red.astype(np.int32) * 3 - 100)
        case "F":
            return Image.fromarray(red.astype(np.float32) * 1.5 - 20)
        case "RGBA" | "RGBX" | "CMYK":
            return Image.fromarray(channels, "RGBA") if mode == "RGBA" else _of_bands(mode, channels)
        case "LA":
            return _of_bands("LA", channels[..., [0, 3]])
        case "PA":
            return Image.fromarray(channels, "RGBA").convert("PA")
        case "LAB" | "HSV" | "YCbCr":
            return _of_bands(mode, channels[..., :3])
    rgb = Image.fromarray(np.ascontiguousarray(channels[..., :3]))
    return rgb.quantize(32) if mode == "P" else rgb.convert(mode)


def _of_bands(mode: str, channels: np.ndarray) -> Image.Image:
    return Image.merge(mode, [Image.fromarray(np.ascontiguousarray(band)) for band in np.moveaxis(channels, -1, 0)])


def _with_clear_colour(image: Image.Image, colour: int | tuple[int, int, int]) -> Image.Image:
    image.info["transparency"] = colour
    return image


def _channels(width: int, height: int) -> np.ndarray:
    down, across = np.mgrid[0:height, 0:width]
    waves = [np.sin(across / (1.3 + channel) + down / (2.7 + channel)) + np.cos(down / 2.1) for channel in range(4)]
    noise = np.random.default_rng(width * 1000 + height).normal(0, 0.2, (height, width, 4))
    return (127 + 60 * (np.stack(waves, axis=-1) + noise)).clip(0, 255).astype(np.uint8)
