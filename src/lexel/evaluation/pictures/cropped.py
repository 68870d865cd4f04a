"""A part of a picture, cut out when it is loaded."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from lexel.images import decode

Box = tuple[int, int, int, int]  # left, top, right, bottom, in pixels


@dataclass(frozen=True, slots=True)
class CroppedPicture:
    """What lies inside the box of a picture in a file; what lies outside the picture is black."""

    path: Path
    box: Box

    def load(self) -> Image.Image:
        return decode(self.path).crop(self.box)
