"""Logits of images and texts, one tile of the matrix at a time, so that the whole is never held."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from math import ceil
from typing import Any

import torch
from torch import Tensor

# Small enough for a core's cache, which all that is done to a tile's entries needs to be quick, and large enough for
# its matrix products to run at full speed (docs/performance.md); a GPU wants more work in each call.
CPU_TILE, ACCELERATOR_TILE = (1024, 1024), (4096, 8192)


class Tiles:
    """scale · images · textsᵀ + shift; iterate to get the tiles, each with its rows and its columns.

    images (b, E), texts (B, E), scale and shift scalars; a tile is (R, C), of type `dtype`, and may be changed in
    place: the next one overwrites it.
    """

    def __init__(self, images: Tensor, texts: Tensor, scale: Tensor, shift: Tensor, dtype: torch.dtype) -> None:
        self.images, self.texts, self.scale, self.shift, self.dtype = images, texts, scale, shift, dtype
        height, width = CPU_TILE if images.device.type == "cpu" else ACCELERATOR_TILE
        self.rows, self.columns = pieces(len(images), height), pieces(len(texts), width)
        self._size = min(height, len(images)) * min(width, len(texts))
        self._room = images.new_empty(self._size)
        self._beside: Tensor | None = None

    def __iter__(self) -> Iterator[tuple[slice, slice, Tensor]]:
        for rows in self.rows:
            scaled = self.images[rows] * self.scale  # (R, E)
            for columns in self.columns:
                texts = self.texts[columns]  # (C, E)
                tile = self._room[: len(scaled) * len(texts)].view(len(scaled), len(texts))
                yield rows, columns, torch.addmm(self.shift, scaled, texts.T, out=tile).to(self.dtype)

    def beside(self, tile: Tensor) -> Tensor:
        """A second buffer like `tile`, valid as long: new memory for each tile would cost more than the work."""
        if self._beside is None:
            self._beside = tile.new_empty(self._size)
        return self._beside[: tile.numel()].view_as(tile)


def pieces(length: int, longest: int) -> list[slice]:
    """0 … `length` in pieces that are about equal and no longer than `longest`."""
    count = ceil(length / longest)
    bounds = [length * piece // count for piece in range(count + 1)] if count else []
    return [slice(start, stop) for start, stop in pairwise(bounds)]


def inner_product(vectors: Tensor, gradient: Tensor) -> Tensor:
    """Σ vectors · gradient, both (N, E), without a third of their size."""
    sums = [(vectors[rows] * gradient[rows]).sum() for rows in pieces(len(vectors), 1024)]
    return torch.stack(sums).sum() if sums else vectors.new_zeros(())


def reduced_precision(device: torch.device) -> bool:
    """Whether autocast is on: then matrix products may read their float32 inputs at less than float32's precision."""
    return torch.is_autocast_enabled(device.type)


@contextmanager
def products(device: torch.device, *, reduced: bool) -> Iterator[None]:
    """Let float32 matrix products read their inputs as they are or, if `reduced`, as bfloat16 (on a GPU as TF32).

    Their sums and results are float32 in either case, which autocast would not give; it is switched off.
    """
    with torch.autocast(device.type, enabled=False):
        if not reduced or device.type not in ("cpu", "cuda"):
            yield
            return
        backend: Any = torch.backends.mkldnn if device.type == "cpu" else torch.backends.cuda
        before = backend.matmul.fp32_precision
        backend.matmul.fp32_precision = "bf16" if device.type == "cpu" else "tf32"
        try:
            yield
        finally:
            backend.matmul.fp32_precision = before
