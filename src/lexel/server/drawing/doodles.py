"""Writing and shapes that Lexel draws itself: by their embeddings the judge learns what writing looks like to a model.

Pictures are the same on every machine and in every process.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE = 160  # pixels
INKS = ((20, 20, 24),) * 4 + ((200, 40, 40), (40, 80, 200), (20, 130, 60), (230, 150, 20), (130, 60, 170))
MAX_TURN = 14.0  # degrees, of writing


def draw_writing(text: str, random: np.random.Generator) -> Image.Image:
    """The text written on white, in one line or several, in some ink, size and slant."""
    words = text.split()
    lines = "\n".join(words) if len(words) > 1 and random.random() < 0.6 else text
    image, pen = _sheet()
    size = int(random.integers(18, 60))
    while True:
        font = ImageFont.load_default(size)
        left, top, right, bottom = pen.multiline_textbbox((0, 0), lines, font=font)
        if (right - left < SIDE - 8 and bottom - top < SIDE - 8) or size <= 8:
            break
        size -= 2
    place = (
        random.uniform(2, max(3, SIDE - (right - left) - 4)) - left,
        random.uniform(2, max(3, SIDE - (bottom - top) - 4)) - top,
    )
    stroke = int(random.integers(0, 2))
    pen.multiline_text(place, lines, _ink(random), font, align="center", stroke_width=stroke)
    turned = image.rotate(random.uniform(-MAX_TURN, MAX_TURN), Image.Resampling.BICUBIC, fillcolor="white")
    return _softened(_slanted(turned, random.uniform(-0.25, 0.25)), random)


def draw_doodle(random: np.random.Generator) -> Image.Image:
    """A few shapes and strokes on white, as in a drawing, without any writing.

    Most are lines in one ink, as writing is. Otherwise the probe would learn colour and take line drawings for
    writing.
    """
    image, pen = _sheet()
    ink, is_filled = _ink(random), random.random() < 0.25
    is_motley, width = random.random() < 0.3, int(random.integers(2, 12))
    for _ in range(int(random.integers(1, 7))):
        if is_motley:
            ink, width = _ink(random), int(random.integers(2, 12))
        line, is_closed = _LINES[int(random.integers(len(_LINES)))](random)
        points = [(float(x), float(y)) for x, y in line]
        if is_closed and is_filled and random.random() < 0.6:
            pen.polygon(points, _ink(random) if is_motley else ink)
        pen.line([*points, points[0], points[1]] if is_closed else points, ink, width, joint="curve")
    return _softened(image, random)


def _oval(random: np.random.Generator) -> tuple[np.ndarray, bool]:
    centre, radii = random.uniform(SIDE * 0.2, SIDE * 0.8, 2), random.uniform(SIDE * 0.04, SIDE * 0.42, 2)
    turns = np.linspace(0, 2 * math.pi, 40, endpoint=False)
    wobble = 1 + random.uniform(0, 0.1) * np.sin(3 * turns + random.uniform(0, 6))
    return centre + radii * wobble[:, None] * np.stack([np.cos(turns), np.sin(turns)], axis=1), True


def _corners(random: np.random.Generator) -> tuple[np.ndarray, bool]:
    turns = np.sort(random.uniform(0, 2 * math.pi, int(random.integers(3, 7))))
    around = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    return random.uniform(SIDE * 0.2, SIDE * 0.8, 2) + random.uniform(SIDE * 0.08, SIDE * 0.45) * around, True


def _curve(random: np.random.Generator) -> tuple[np.ndarray, bool]:
    """A smooth stroke through a few points, as a hand draws it."""
    knots = random.uniform(SIDE * 0.05, SIDE * 0.95, (int(random.integers(3, 7)), 2))
    along = np.linspace(0, len(knots) - 1, 50)
    smooth = [np.interp(along, np.arange(len(knots)), knots[:, axis]) for axis in (0, 1)]
    kernel = np.ones(9) / 9
    return np.stack([np.convolve(np.pad(line, 4, mode="edge"), kernel, "valid") for line in smooth], axis=1), False


def _arc(random: np.random.Generator) -> tuple[np.ndarray, bool]:
    turns = random.uniform(0, 6) + np.linspace(0, random.uniform(1, 4), 30)
    around = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    return random.uniform(SIDE * 0.2, SIDE * 0.8, 2) + random.uniform(SIDE * 0.1, SIDE * 0.5) * around, False


def _straight(random: np.random.Generator) -> tuple[np.ndarray, bool]:
    return random.uniform(SIDE * 0.03, SIDE * 0.97, (2, 2)), False


def _scribble(random: np.random.Generator) -> tuple[np.ndarray, bool]:
    """A place that is filled with strokes to and fro."""
    corner, size = random.uniform(SIDE * 0.05, SIDE * 0.5, 2), random.uniform(SIDE * 0.15, SIDE * 0.5, 2)
    turns = int(random.integers(4, 14))
    across = np.stack([np.arange(turns + 1) % 2, np.arange(turns + 1) / turns], axis=1)
    return corner + size * across + random.uniform(-3, 3, (turns + 1, 2)), False


_LINES: Sequence[Callable[[np.random.Generator], tuple[np.ndarray, bool]]] = (
    _oval, _oval, _oval, _corners, _corners, _curve, _curve, _curve, _arc, _arc, _straight, _scribble,
)  # fmt: skip


def _softened(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Every other time, lower the resolution as if it had been drawn on a coarser board."""
    if random.random() < 0.5:
        return image
    coarse = int(random.integers(28, SIDE))
    return image.resize((coarse, coarse), Image.Resampling.BILINEAR).resize(image.size, Image.Resampling.BICUBIC)


def _sheet() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (SIDE, SIDE), "white")
    return image, ImageDraw.Draw(image)


def _ink(random: np.random.Generator) -> tuple[int, int, int]:
    return INKS[int(random.integers(len(INKS)))]


def _slanted(image: Image.Image, slant: float) -> Image.Image:
    across = (1, slant, -slant * SIDE / 2, 0, 1, 0)
    return image.transform(image.size, Image.Transform.AFFINE, across, Image.Resampling.BICUBIC, fillcolor="white")
