"""Random crop, flip and light colour jitter for training: a pure function of the picture and a random generator."""

import math
from typing import Literal, Self

import numpy as np
from PIL import Image, ImageOps, ImageStat
from pydantic import Field, model_validator

from lexel.config import Config
from lexel.images import RESAMPLING, Preprocessing

LUMA = np.array([0.299, 0.587, 0.114])  # of red, green, blue: ITU-R BT.601


class Augmentation(Config):
    """How a training picture is varied. Sizes of zero turn a part off."""

    crop_scale: tuple[float, float] = (0.6, 1.0)  # share of the picture's area that a view shows, from and to
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)  # change of the aspect ratio, width over height, from and to
    flip: Literal["auto", "always", "never"] = (
        "auto"  # mirror half of the pictures; auto: not when a caption says left or right
    )
    brightness: float = Field(default=0.1, ge=0, lt=1)  # factor drawn from 1 ± this
    contrast: float = Field(default=0.1, ge=0, lt=1)  # factor drawn from 1 ± this
    saturation: float = Field(default=0.1, ge=0, lt=1)  # factor drawn from 1 ± this

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        if not 0 < self.crop_scale[0] <= self.crop_scale[1] <= 1:
            raise ValueError(f"crop_scale {self.crop_scale} must rise within 0..1")
        if not 0 < self.crop_ratio[0] <= self.crop_ratio[1]:
            raise ValueError(f"crop_ratio {self.crop_ratio} must rise and be positive")
        return self


def least_side(preprocessing: Preprocessing, settings: Augmentation) -> int:
    """Pixels that a picture's shorter side must have, so that no random view of it is smaller than the tower's square.

    A view keeps at least the share s of the area, and its shape differs from the picture's, or from a square, by a
    factor of ρ at most: its shorter side is √(sρ) of the picture's or, where the view is as wide or as high as that, ρ.
    """
    low, high = settings.crop_ratio
    change = min(low, 1 / high, 1.0)
    share = min(math.sqrt(settings.crop_scale[0] * change), change)
    return math.ceil(preprocessing.image_size / share)


def augment(
    image: Image.Image, preprocessing: Preprocessing, settings: Augmentation, random: np.random.Generator, sides: bool
) -> np.ndarray:
    """A random view of an RGB picture as (3, H, W) uint8. `sides`: the caption speaks of left or right."""
    if preprocessing.resize == "pad":
        side = max(image.size)
        image = ImageOps.pad(image, (side, side), color=(preprocessing.fill,) * 3)
    box = _random_box(image.size, preprocessing, settings, random)
    size = preprocessing.image_size
    view = image.resize((size, size), RESAMPLING[preprocessing.interpolation], box=box)
    mirrored = random.random() < 0.5
    factors = 1 + random.uniform(-1, 1, size=3) * (settings.brightness, settings.contrast, settings.saturation)
    if mirrored and (settings.flip == "always" or (settings.flip == "auto" and not sides)):
        view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if not (factors == 1).all():
        view = _jitter(view, *factors.tolist())
    return np.ascontiguousarray(np.asarray(view).transpose(2, 0, 1))


def _random_box(
    size: tuple[int, int], preprocessing: Preprocessing, settings: Augmentation, random: np.random.Generator
) -> tuple[float, float, float, float]:
    """Left, upper, right, lower of a crop that keeps a random share of the area.

    Where evaluation squeezes the whole picture into the square, so does training: the crop then has the picture's own
    aspect ratio, varied by `crop_ratio`. Otherwise it is square, varied likewise (Szegedy et al. 2015), of a picture
    that has its edges already where evaluation adds them.
    """
    width, height = size
    own_ratio = width / height if preprocessing.resize == "squash" else 1.0
    low, high = np.log(settings.crop_ratio)
    share = random.uniform(*settings.crop_scale)
    ratio = own_ratio * np.exp(random.uniform(low, high))
    crop_width = np.sqrt(share * width * height * ratio)
    crop_height = np.sqrt(share * width * height / ratio)
    shrink = min(1.0, width / crop_width, height / crop_height)  # both sides, or the ratio would not be the one drawn
    crop_width, crop_height = crop_width * shrink, crop_height * shrink
    left = random.uniform(0, max(0.0, width - crop_width))
    upper = random.uniform(0, max(0.0, height - crop_height))
    return left, upper, min(width, left + crop_width), min(height, upper + crop_height)


def _jitter(view: Image.Image, brightness: float, contrast: float, saturation: float) -> Image.Image:
    """Scale brightness b, then the distance k from the mean grey, then the distance s from each pixel's own grey.

    All three are linear: a colour c with the grey g becomes bk(sc + (1 − s)g) + (1 − k)bm, where m is the mean grey.
    That is one matrix, applied to uint8.
    """
    mean_grey = float(LUMA @ ImageStat.Stat(view).mean)  # seven times as fast as NumPy's mean
    matrix = brightness * contrast * (saturation * np.eye(3) + (1 - saturation) * LUMA)
    shift = np.full((3, 1), (1 - contrast) * brightness * mean_grey)
    return view.convert("RGB", tuple(np.hstack([matrix, shift]).ravel().tolist()))
