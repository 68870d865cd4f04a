"""Bézier curves, sampled: chains of quadratic or cubic pieces that share their ends, as the corners of a line."""

from math import comb

import torch
from torch import Tensor


def control_points(pieces: int, degree: int) -> int:
    """How many control points a chain of this many pieces has."""
    return pieces * degree + 1


def bernstein(degree: int, at: Tensor) -> Tensor:
    """The Bernstein polynomials of a degree at places (S,) in 0..1 → (S, degree + 1); each row sums to 1."""
    powers = torch.arange(degree + 1, device=at.device)
    binomials = torch.tensor([comb(degree, k) for k in range(degree + 1)], dtype=at.dtype, device=at.device)
    return binomials * at[:, None] ** powers * (1 - at[:, None]) ** (degree - powers)


def sample_curves(points: Tensor, degree: int, samples: int) -> Tensor:
    """Points on chains of Bézier pieces, `samples` segments a piece.

    points (N, pieces * degree + 1, 2) control points; → (N, pieces * samples + 1, 2), beginning and ending where the
    chain does. Differentiable.
    """
    at = torch.linspace(0, 1, samples + 1, dtype=points.dtype, device=points.device)
    weights = bernstein(degree, at)[:-1]  # (S, degree + 1): the end of a piece is the start of the next
    pieces = points.unfold(1, degree + 1, degree)  # (N, K, 2, degree + 1)
    sampled = torch.einsum("nkcd,sd->nksc", pieces, weights).flatten(1, 2)  # (N, K * S, 2)
    return torch.cat([sampled, points[:, -1:]], dim=1)
