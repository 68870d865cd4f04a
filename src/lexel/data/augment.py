"""Random crop, flip and light colour jitter for training: what is drawn, from a picture's size and a random generator.

`views` makes the pixels of it.
"""

import math
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from lexel.config import Config
from lexel.images import Preprocessing


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


@dataclass(frozen=True, slots=True)
class View:
    """What is random about one training picture."""

    # Left, upper, right, lower: pixels of the picture or, where evaluation pads it, of the square around it.
    box: tuple[int, int, int, int]
    mirrored: bool
    brightness: float  # factors, as `Augmentation` has them
    contrast: float
    saturation: float


def draw_view(
    size: tuple[int, int],
    preprocessing: Preprocessing,
    settings: Augmentation,
    random: np.random.Generator,
    sides: bool,
) -> View:
    """A random view of a picture of this width and height. `sides`: the caption speaks of left or right."""
    if preprocessing.resize == "pad":
        size = (max(size), max(size))
    box = _random_box(size, preprocessing, settings, random)
    mirrored = random.random() < 0.5 and (settings.flip == "always" or (settings.flip == "auto" and not sides))
    factors = 1 + random.uniform(-1, 1, size=3) * (settings.brightness, settings.contrast, settings.saturation)
    return View(box, mirrored, *factors.tolist())


def _random_box(
    size: tuple[int, int], preprocessing: Preprocessing, settings: Augmentation, random: np.random.Generator
) -> tuple[int, int, int, int]:
    """Left, upper, right, lower of a crop that keeps a random share of the area, in whole pixels.

    Where evaluation squeezes the whole picture into the square, so does training: the crop then has the picture's own
    aspect ratio, varied by `crop_ratio`. Otherwise it is square, varied likewise (Szegedy et al. 2015), of a picture
    that has its edges already where evaluation adds them.
    """
    width, height = size
    own_ratio = width / height if preprocessing.resize == "squash" else 1.0
    low, high = math.log(settings.crop_ratio[0]), math.log(settings.crop_ratio[1])
    share = random.uniform(*settings.crop_scale)
    ratio = own_ratio * math.exp(random.uniform(low, high))
    crop_width = math.sqrt(share * width * height * ratio)
    crop_height = math.sqrt(share * width * height / ratio)
    shrink = min(1.0, width / crop_width, height / crop_height)  # both sides, or the ratio would not be the one drawn
    columns = min(width, max(1, round(crop_width * shrink)))
    rows = min(height, max(1, round(crop_height * shrink)))
    left = round(random.uniform(0, width - columns))
    upper = round(random.uniform(0, height - rows))
    return left, upper, left + columns, upper + rows
