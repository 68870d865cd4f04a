"""What near copies of a picture have in common: a small print of it, and a 63-bit perceptual hash.

The print is the picture at 12 × 12 pixels. Prints less their mean, at unit length, are compared by correlation, so
that another size, quality or brightness changes next to nothing. The hash holds the signs of the lowest frequencies
of the picture's greys (a cosine transform, as pHash takes it); copies differ in a few bits. Signs rather than a
comparison with the median, because mirroring a picture then flips a fixed set of bits: `MIRRORED`.
"""

import numpy as np
from PIL import Image

PRINT_SIDE = 12  # pixels
GREY_SIDE = 32  # pixels, of the greys that are transformed
FREQUENCIES = 8  # in each direction; the very lowest, the mean, is left out
HASH_BITS = FREQUENCIES**2 - 1

_WAVES = np.cos(
    np.pi * (2 * np.arange(GREY_SIDE) + 1) * np.arange(FREQUENCIES)[:, None] / (2 * GREY_SIDE)
)  # (FREQUENCIES, GREY_SIDE)
_POWERS = np.uint64(1) << np.arange(HASH_BITS, dtype=np.uint64)
# Waves of odd number change their sign when a picture is mirrored from left to right.
MIRRORED = np.uint64(sum(1 << bit for bit in range(HASH_BITS) if (bit + 1) % FREQUENCIES % 2))


def picture_print(image: Image.Image) -> np.ndarray:
    """The picture at PRINT_SIDE × PRINT_SIDE pixels. RGB → uint8 (PRINT_SIDE, PRINT_SIDE, 3)"""
    return np.asarray(image.resize((PRINT_SIDE, PRINT_SIDE), Image.Resampling.BOX))


def small_greys(image: Image.Image) -> np.ndarray:
    """The picture's greys at GREY_SIDE × GREY_SIDE pixels, uint8: what `perceptual_hash` takes."""
    small = image.resize((GREY_SIDE, GREY_SIDE), Image.Resampling.BOX)
    return np.asarray(small.convert("L"))


def perceptual_hash(greys: np.ndarray) -> int:
    """HASH_BITS bits that near copies of a picture share but for a few. greys (GREY_SIDE, GREY_SIDE)"""
    waves = _WAVES @ greys.astype(np.float64) @ _WAVES.T
    # Rounding leaves about 1e-11 of what is zero; it must not turn into bits.
    return int(_POWERS[waves.ravel()[1:] > 1e-6].sum())


def unit_prints(prints: np.ndarray) -> np.ndarray:
    """Prints uint8 (N, PRINT_SIDE, PRINT_SIDE, 3) less their mean, at unit length: float32, products are correlations.

    Of all channels together, so that flat pictures differ in colour; grey flat ones are all alike.
    """
    pixels = prints.astype(np.float32)
    pixels -= pixels.mean(axis=(1, 2, 3), keepdims=True)
    lengths = np.sqrt((pixels**2).sum(axis=(1, 2, 3), keepdims=True))
    flat = np.full_like(pixels, pixels[0].size ** -0.5) if len(pixels) else pixels
    return np.where(lengths > 1, pixels / np.maximum(lengths, 1), flat)


def print_likeness(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Correlation (N,) of each unit print with the other one, −1..1; of the mirrored one where that is more.

    Both (N, PRINT_SIDE, PRINT_SIDE, 3), or either without the first dimension.
    """
    product = (ones * others).sum(axis=(-3, -2, -1))
    return np.maximum(product, (ones[..., ::-1, :] * others).sum(axis=(-3, -2, -1)))
