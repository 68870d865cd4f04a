"""The ten shapes as contours inside the unit circle, y down; the first contour is filled, further ones are holes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Contour = NDArray[np.float64]  # (points, 2)


@dataclass(frozen=True, slots=True)
class Shape:
    """One outline and how far it may be turned, in degrees, before a person would call it something else."""

    contours: tuple[Contour, ...]
    turn: float

    def placed(self, x: float, y: float, radius: float, degrees: float) -> list[list[tuple[float, float]]]:
        """The contours turned, scaled and moved, as Pillow draws them."""
        cos, sin = np.cos(np.radians(degrees)) * radius, np.sin(np.radians(degrees)) * radius
        turned = np.array([[cos, sin], [-sin, cos]])
        centre = np.array([x, y])
        return [[(px, py) for px, py in (contour @ turned + centre).tolist()] for contour in self.contours]


def _around(angles: NDArray[np.float64], radius: float | NDArray[np.float64]) -> Contour:
    return np.stack([np.sin(angles) * radius, -np.cos(angles) * radius], axis=1)


def _regular(corners: int, radius: float = 1.0) -> Contour:
    return _around(np.linspace(0, 2 * np.pi, corners, endpoint=False), radius)


def _points(*points: tuple[float, float]) -> Contour:
    return np.array(points)


def _star() -> Contour:
    return _around(np.linspace(0, 2 * np.pi, 10, endpoint=False), np.where(np.arange(10) % 2, 0.44, 1.0))


def _heart() -> Contour:
    t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([x, -y - 2.5], axis=1) / 17.5


def _cross(arm: float = 0.31, reach: float = 0.95) -> Contour:
    quarter = [(-arm, -reach), (arm, -reach), (arm, -arm)]
    turns = [(1, 0), (0, 1), (-1, 0), (0, -1)]
    return _points(*[(x * c - y * s, x * s + y * c) for c, s in turns for x, y in quarter])


def _moon(bite: float = 0.8, shift: float = 0.5) -> Contour:
    """A disc without the part that a second disc, `shift` to the right, covers."""
    meet = (1 + shift**2 - bite**2) / (2 * shift)
    height = np.sqrt(1 - meet**2)
    outer = np.linspace(np.arctan2(height, meet), 2 * np.pi - np.arctan2(height, meet), 32)
    inner_end = np.arctan2(height, meet - shift)
    inner = np.linspace(2 * np.pi - inner_end, inner_end, 28)
    outside = np.stack([np.cos(outer), np.sin(outer)], axis=1)
    inside = np.stack([shift + bite * np.cos(inner), bite * np.sin(inner)], axis=1)
    return np.concatenate([outside, inside])


# To the side: upwards, half of it would be a triangle.
_arrow = _points((1, 0), (0.14, 0.8), (0.14, 0.31), (-0.92, 0.31), (-0.92, -0.31), (0.14, -0.31), (0.14, -0.8))
_square = _points((-0.74, -0.74), (0.74, -0.74), (0.74, 0.74), (-0.74, 0.74))
_diamond = _points((0, -1), (0.62, 0), (0, 1), (-0.62, 0))

SHAPES = {
    "circle": Shape((_regular(40, 0.88),), turn=180),
    "square": Shape((_square,), turn=12),
    "triangle": Shape((_regular(3),), turn=18),
    "star": Shape((_star(),), turn=18),
    "heart": Shape((_heart(),), turn=18),
    "cross": Shape((_cross(),), turn=12),
    "ring": Shape((_regular(40, 0.95), _regular(32, 0.56)), turn=180),
    "moon": Shape((_moon(),), turn=30),
    "diamond": Shape((_diamond,), turn=12),
    "arrow": Shape((_arrow,), turn=30),
}
