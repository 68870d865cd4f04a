"""Which part of a picture an image tower sees, and a map of that part laid over the whole picture."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from lexel.images import Preprocessing


@dataclass(frozen=True, slots=True)
class SeenArea:
    """The rectangle of a picture that becomes the tower's square, in the picture's pixels.

    It is smaller than the picture where the middle is cropped, and larger where edges are added.
    """

    left: float
    top: float
    width: float
    height: float


def seen_area(width: int, height: int, preprocessing: Preprocessing) -> SeenArea:
    """What the preprocessing shows the tower of a picture of this size."""
    if preprocessing.resize == "squash":
        return SeenArea(0.0, 0.0, float(width), float(height))
    side = min(width, height) if preprocessing.resize == "shortest" else max(width, height)
    return SeenArea((width - side) / 2, (height - side) / 2, float(side), float(side))


def lay_over(heat: np.ndarray, area: SeenArea, width: int, height: int) -> np.ndarray:
    """(h, w) values over the area → (height, width) float32 over the picture; 0 where the tower sees nothing.

    Between the centres of the cells values are interpolated linearly.
    """
    rows = _places(height, area.top, area.height)
    columns = _places(width, area.left, area.width)
    image = Image.fromarray(heat.astype(np.float32))
    left, right = columns.start, columns.stop
    top, bottom = rows.start, rows.stop
    scale_x, scale_y = heat.shape[1] / area.width, heat.shape[0] / area.height
    box = (
        max(0.0, (left - area.left) * scale_x),
        max(0.0, (top - area.top) * scale_y),
        min(float(heat.shape[1]), (right - area.left) * scale_x),
        min(float(heat.shape[0]), (bottom - area.top) * scale_y),
    )
    whole = np.zeros((height, width), np.float32)
    resized = image.resize((right - left, bottom - top), Image.Resampling.BILINEAR, box=box)
    whole[rows, columns] = np.asarray(resized)
    return whole


def _places(length: int, start: float, size: float) -> slice:
    """The pixels of a side of `length` that lie in the area; at least one, however thin the picture is."""
    first = min(length - 1, max(0, round(start)))
    return slice(first, max(first + 1, min(length, round(start + size))))
