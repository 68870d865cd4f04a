"""Digits written by hand and printed ones, both as eight by eight cells, so that they differ in nothing but the hand.

The handwritten ones come with scikit-learn (UCI's optical recognition of handwritten digits, test part): bitmaps of 32
by 32 pixels whose inked pixels were counted in cells of four by four. Printed ones are made in the same way, with the
fonts that come with Matplotlib, and shown once more as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lexel.data.pairs import Pair, Source
from lexel.extras import missing_library

EACH_DIGIT = 48  # pictures of it, of each kind
FONTS = tuple(
    f"{family}{style}"
    for family, styles in {
        "DejaVuSans": ("", "-Bold", "-Oblique", "-BoldOblique"),
        "DejaVuSerif": ("", "-Bold", "-Italic", "-BoldItalic"),
        "DejaVuSansMono": ("", "-Bold", "-Oblique", "-BoldOblique"),
        "STIXGeneral": ("", "Bol", "Italic", "BolIta"),
    }.items()
    for style in styles
)
HEIGHTS = (24, 27, 30)  # of the printed digit, of 32
BITMAP, CELL = 32, 4  # pixels
SHOWN_SIDE = 64  # pixels of the picture


@dataclass(frozen=True, slots=True)
class CellDigit:
    """Ink in eight by eight cells, 0 to 16 each, enlarged: white on black."""

    cells: bytes

    def load(self) -> Image.Image:
        """RGB, 64×64."""
        ink = np.frombuffer(self.cells, np.uint8).reshape(8, 8).astype(float) * (255 / 16)
        small = Image.fromarray(ink.round().astype(np.uint8))
        return small.resize((SHOWN_SIDE, SHOWN_SIDE), Image.Resampling.BICUBIC).convert("RGB")


@dataclass(frozen=True, slots=True)
class PrintedDigit:
    """A digit of a font at full sharpness: white on black."""

    digit: str
    font: str
    height: int

    def load(self) -> Image.Image:
        """RGB, 64×64."""
        return _print(self.digit, self.font, self.height * SHOWN_SIDE // BITMAP, SHOWN_SIDE).convert("RGB")


def draw_digits(each: int = EACH_DIGIT) -> Source:
    """`each` pictures of every digit: "written" by hand, "printed" in the same cells, and "sharp"."""
    images, labels = _handwritten()
    looks = [(font, height) for height in HEIGHTS for font in FONTS]
    pairs = []
    for digit in map(str, range(10)):
        for number, row in enumerate(np.flatnonzero(labels == int(digit))[:each]):
            pairs.append(Pair(f"written/{digit}/{number:03d}", CellDigit(images[row].tobytes()), label=digit))
        for number, (font, height) in enumerate(looks[:each]):
            cells = CellDigit(_cells(digit, font, height))
            pairs.append(Pair(f"printed/{digit}/{number:03d}", cells, label=digit))
            pairs.append(Pair(f"sharp/{digit}/{number:03d}", PrintedDigit(digit, font, height), label=digit))
    return Source("handwriting", pairs)


@cache
def _handwritten() -> tuple[np.ndarray, np.ndarray]:
    """(N, 64) cells as bytes, and the digits (N,)."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise missing_library("Handwritten digits", "scikit-learn", error) from None
    cells, labels = load_digits(return_X_y=True)
    return np.asarray(cells).astype(np.uint8), np.asarray(labels)


def _cells(digit: str, font: str, height: int) -> bytes:
    inked = np.asarray(_print(digit, font, height, BITMAP)) > 127
    side = BITMAP // CELL
    return inked.reshape(side, CELL, side, CELL).sum(axis=(1, 3)).astype(np.uint8).tobytes()


def _print(digit: str, font: str, height: int, side: int) -> Image.Image:
    """The digit, so high and in the middle, as grey levels."""
    letters = _font(font, 4 * height)
    left, top, right, bottom = letters.getbbox(digit)
    large = Image.new("L", (int(right - left), int(bottom - top)))
    ImageDraw.Draw(large).text((-left, -top), digit, fill=255, font=letters)
    width = min(side, max(1, round(large.width * height / large.height)))
    picture = Image.new("L", (side, side))
    picture.paste(large.resize((width, height), Image.Resampling.BOX), ((side - width) // 2, (side - height) // 2))
    return picture


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    try:
        from matplotlib import get_data_path
    except ImportError as error:
        raise missing_library("Printed digits", "matplotlib", error) from None
    return ImageFont.truetype(Path(get_data_path()) / "fonts" / "ttf" / f"{name}.ttf", size)
