"""Ways between vectors of the shared space, along the sphere on which they lie."""

import numpy as np

from lexel.unit_vectors import unit

SAME = 1e-6  # radians: nearer vectors have no direction between them


def slerp(start: np.ndarray, end: np.ndarray, share: float) -> np.ndarray:
    """The vector (D,) that is `share` of the angle from `start` (D,) to `end` (D,): spherical linear interpolation.

    Lengths are interpolated linearly (Shoemake 1985). 0 gives the start, 1 the end. Vectors that point to opposite
    sides have no single way between them; theirs goes straight through the middle.
    """
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    one, other = unit(start[None])[0].astype(np.float64), unit(end[None])[0].astype(np.float64)
    angle = np.arccos(np.clip(one @ other, -1, 1))
    if angle < SAME or np.pi - angle < SAME:
        return ((1 - share) * start + share * end).astype(np.float32)
    way = (np.sin((1 - share) * angle) * one + np.sin(share * angle) * other) / np.sin(angle)
    return (way * ((1 - share) * lengths[0] + share * lengths[1])).astype(np.float32)


def shares(count: int) -> list[float]:
    """`count` equal steps from 0 to 1, both included; a single one is 1."""
    return [1.0] if count == 1 else [float(share) for share in np.linspace(0, 1, count)]
