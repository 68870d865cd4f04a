"""What a generator is: numbers that can be changed, and pictures that follow from them differentiably."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from lexel.errors import UsageError

MOST_OUTSIDE = 1e-3  # beyond 0..1 that is taken for rounding


@dataclass(frozen=True, slots=True)
class Latent:
    """Numbers that guidance changes. `values` is a leaf tensor, changed in place."""

    values: Tensor
    learning_rate: float  # of Adam: about how far a number moves in a step
    spread: float = 1.0  # how far a number usually is from another: the pull towards the start measures in it


class Generator(Protocol):
    """Makes pictures from its latents. `images` (B, 3, H, W) in 0..1 has gradients with respect to all latents."""

    def latents(self) -> Sequence[Latent]: ...

    def images(self) -> Tensor: ...


@runtime_checkable
class Bounded(Protocol):
    """A generator whose latents have bounds: called after each step, it puts back what went beyond them."""

    def settle(self) -> None: ...


@runtime_checkable
class Scalable(Protocol):
    """A generator whose pictures can be had at any size, in pixels: (B, 3, side, side), without gradients."""

    def render(self, side: int) -> Tensor: ...


@runtime_checkable
class Vectorial(Protocol):
    """A generator whose picture can be written as SVG."""

    def to_svg(self, title: str = "") -> str: ...


def checked_latents(generator: Generator) -> list[Latent]:
    """Its latents. Raises UsageError where there are none or one can have no gradient."""
    latents = list(generator.latents())
    if not latents:
        raise UsageError(f"{_name(generator)} has no latents, so there is nothing that guidance could change.")
    for latent in latents:
        if not latent.values.is_floating_point() or not latent.values.is_leaf:
            raise UsageError(
                f"A latent of {_name(generator)} is {latent.values.dtype}"
                f"{'' if latent.values.is_leaf else ', computed from others'}.\n"
                "  Give floating-point tensors that were not computed: tensor.detach().clone()."
            )
    return latents


def checked_images(generator: Generator, when: str = "at the start") -> Tensor:
    """Its pictures, (B, 3, H, W) in 0..1. Raises UsageError for any others; `when` says which they were."""
    images = generator.images()
    name = _name(generator)
    if not isinstance(images, Tensor) or images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape:
        shape = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise UsageError(f"{name} gives {shape} {when}. Pictures are a tensor of the shape (B, 3, H, W), RGB.")
    if images.shape[2] != images.shape[3]:
        raise UsageError(
            f"{name} gives pictures of {images.shape[3]} × {images.shape[2]} pixels {when}. Models see squares.\n"
            "  Crop them to squares in images()."
        )
    if not images.is_floating_point():
        raise UsageError(f"{name} gives {images.dtype} {when}. Pictures are floating point in 0..1.")
    if not torch.isfinite(images).all():
        bad = int((~torch.isfinite(images)).sum())
        raise UsageError(
            f"{name} gives {bad:,} of {images.numel():,} numbers that are infinite or not a number, {when}.\n"
            "  Begin from another latent, or take a smaller learning rate."
        )
    low, high = float(images.detach().min()), float(images.detach().max())
    if low < -MOST_OUTSIDE or high > 1 + MOST_OUTSIDE:
        raise UsageError(
            f"{name} gives values from {low:.3g} to {high:.3g} {when}; pictures are in 0..1.\n"
            "  Scale them in images(): ModuleGenerator(..., value_range=(-1, 1)) does for a module with those bounds."
        )
    if not images.requires_grad:
        raise UsageError(
            f"{name} gives pictures without gradients {when}: its latents cannot be reached from them.\n"
            "  Compute them with torch operations, outside torch.no_grad() and without detach()."
        )
    return images.clamp(0, 1)


def checked_start(generator: Generator) -> Tensor:
    """Its pictures before the first step, without gradients. Raises UsageError where it cannot be guided."""
    latents = checked_latents(generator)
    with changeable([latent.values for latent in latents]):
        return checked_images(generator).detach()


@contextmanager
def changeable(values: Sequence[Tensor]) -> Iterator[None]:
    """Within it the tensors have gradients; afterwards as before, and without a gradient."""
    before = [value.requires_grad for value in values]
    for value in values:
        value.requires_grad_()
    try:
        yield
    finally:
        for value, had in zip(values, before, strict=True):
            value.requires_grad_(had)
            value.grad = None


def _name(generator: object) -> str:
    return f"The generator {type(generator).__name__}"
