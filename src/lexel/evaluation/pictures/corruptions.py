"""Damage to pictures at five strengths, after ImageNet-C (Hendrycks and Dietterich 2019), relative to their size."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from lexel.data.pairs import Picture

STRENGTHS = (1, 2, 3, 4, 5)
NOISE_DEVIATIONS = (0.04, 0.08, 0.12, 0.18, 0.26)  # standard deviation, of white
BLUR_RADII = (0.01, 0.018, 0.03, 0.045, 0.065)  # radius, of the shorter side
JPEG_QUALITIES = (40, 25, 15, 10, 7)
CONTRAST_FACTORS = (0.6, 0.45, 0.3, 0.2, 0.1)  # factor
SCALE_FACTORS = (0.5, 0.35, 0.25, 0.18, 0.12)  # of the sides, then enlarged again
ROTATION_DEGREES = (10, 20, 30, 45, 90)  # degrees


@dataclass(frozen=True, slots=True)
class CorruptedPicture:
    """A picture that is damaged when it is loaded, always in the same way."""

    picture: Picture
    corruption: str
    strength: int
    seed: int

    def load(self) -> Image.Image:
        """The damaged picture as RGB. Raises BadImageError where there is none to be had."""
        image = self.picture.load().convert("RGB")
        return CORRUPTIONS[self.corruption](image, self.strength - 1, np.random.default_rng(self.seed))


def _noise(image: Image.Image, level: int, random: np.random.Generator) -> Image.Image:
    pixels = np.asarray(image, np.float32) / 255
    noisy = pixels + random.normal(0, NOISE_DEVIATIONS[level], pixels.shape)
    return Image.fromarray((255 * np.clip(noisy, 0, 1)).round().astype(np.uint8))


def _blur(image: Image.Image, level: int, _: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(BLUR_RADII[level] * min(image.size)))


def _jpeg(image: Image.Image, level: int, _: np.random.Generator) -> Image.Image:
    content = io.BytesIO()
    image.save(content, "JPEG", quality=JPEG_QUALITIES[level])
    return Image.open(content).convert("RGB")


def _contrast(image: Image.Image, level: int, _: np.random.Generator) -> Image.Image:
    return ImageEnhance.Contrast(image).enhance(CONTRAST_FACTORS[level])


def _scale(image: Image.Image, level: int, _: np.random.Generator) -> Image.Image:
    small = (max(1, round(SCALE_FACTORS[level] * image.width)), max(1, round(SCALE_FACTORS[level] * image.height)))
    return image.resize(small, Image.Resampling.BOX).resize(image.size, Image.Resampling.BICUBIC)


def _rotation(image: Image.Image, level: int, random: np.random.Generator) -> Image.Image:
    degrees = ROTATION_DEGREES[level] if random.random() < 0.5 else -ROTATION_DEGREES[level]
    grey = tuple(int(value) for value in np.asarray(image).reshape(-1, 3).mean(axis=0))
    return image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=grey)


CORRUPTIONS: dict[str, Callable[[Image.Image, int, np.random.Generator], Image.Image]] = {
    "noise": _noise,
    "blur": _blur,
    "jpeg": _jpeg,
    "contrast": _contrast,
    "scale": _scale,
    "rotation": _rotation,
}
