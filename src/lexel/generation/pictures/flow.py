"""Rectified flow: how noise becomes data along lines that are as straight as can be learned.

Time 0 is Gaussian noise, time 1 is data, and between them each sample lies on a straight line (Lipman et al. 2023, Liu
et al. 2023). A network learns the velocity, data − noise, of what it is shown; to sample, one follows its velocities
from noise to data in a few steps. Classifier-free guidance (Ho and Salimans 2022) goes further in the direction in
which the condition moves the velocity.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

Velocity = Callable[[Tensor, Tensor], Tensor]  # points (B, …) and times (B,) in 0..1 → velocities (B, …)
Solver = Literal["euler", "heun"]


def times_between(count: int, generator: torch.Generator) -> Tensor:
    """(count,) times to learn at, in 0..1: logistic-normal, the middle more often than the ends (Esser et al. 2024)."""
    return torch.randn(count, generator=generator).sigmoid()


def on_the_line(noise: Tensor, data: Tensor, times: Tensor) -> Tensor:
    """Where each sample is at its time (B,): noise (B, …) at 0, data (B, …) at 1."""
    share = times.view(-1, *[1] * (data.dim() - 1)).to(data.dtype)
    return noise + share * (data - noise)


def flow_loss(velocity: Tensor, noise: Tensor, data: Tensor) -> Tensor:
    """Mean squared error of the velocities (B, …), in float32."""
    return (velocity.float() - (data - noise).float()).square().mean()


def follow(velocity: Velocity, start: Tensor, steps: int, solver: Solver = "euler", *, back: bool = False) -> Tensor:
    """Follow the velocities from noise (B, …) to data in equal steps; `back` goes from data to the noise it comes from.

    Euler's method evaluates the velocity once a step, Heun's twice, with an error that falls with the square of the
    step. Differentiable in `start` and in whatever `velocity` holds.
    """
    here = start
    times = torch.linspace(1, 0, steps + 1) if back else torch.linspace(0, 1, steps + 1)
    for now, then in pairwise(times):
        step = float(then - now)
        speed = velocity(here, now.expand(len(here)).to(here.device))
        there = here + step * speed
        if solver == "heun":
            there = here + step / 2 * (speed + velocity(there, then.expand(len(here)).to(here.device)))
        here = there
    return here


def guided(with_condition: Tensor, without: Tensor, guidance: float) -> Tensor:
    """The velocity moved along what the condition changes: 0 ignores the condition, 1 follows it, more exaggerates."""
    return without + guidance * (with_condition - without)
