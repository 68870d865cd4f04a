"""Sequence packing: captions without their padding, concatenated to one row of tokens.

Linear layers, norms and MLPs take all tokens of a batch at once, (S, D), whatever caption they belong to; attention
takes the captions in groups of about equal length. The only padding left is that to the longest caption of a group.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lexel.batches import ceil_div, cut_by_cost

# Tokens of padding that cost as much as one more group.
OVERHEAD_CPU = 64
OVERHEAD_GPU = 1024

# Where shapes should be few.
MAX_GROUPS = 8
LENGTH_MULTIPLE = 4  # tokens


@dataclass(frozen=True, eq=False)
class Group:
    """Rows of equal length that lie together."""

    rows: int
    length: int  # tokens of each
    mask: Tensor | None = None  # (rows, 1, length, length), true where a token may look; None: the causal rule


@dataclass(frozen=True, eq=False)
class Packing:
    """How a row of tokens (S, …) divides into groups of captions."""

    groups: tuple[Group, ...]

    def split(self, tokens: Tensor) -> list[Tensor]:
        """The groups' tokens. (S, …) → each (rows, length, …)."""
        parts = tokens.split([group.rows * group.length for group in self.groups])
        return [part.unflatten(0, (group.rows, group.length)) for part, group in zip(parts, self.groups, strict=True)]

    def split_places(self, places: Tensor | int | None) -> Sequence[Tensor | int | None]:
        """What holds for the rows of all groups (B,), for each of them (rows,)."""
        if isinstance(places, Tensor):
            return places.split([group.rows for group in self.groups])
        return [places] * len(self.groups)

    def take(self, tokens: Tensor, places: Tensor | int) -> Tensor:
        """One token of each row. (S, …), (B,) → (B, …)."""
        parts = zip(self.split(tokens), self.split_places(places), strict=True)
        return torch.cat([take(part, place) for part, place in parts if place is not None])


def take(tokens: Tensor, places: Tensor | int) -> Tensor:
    """One token of each row: that at its place, or at the same in all. (B, T, …), (B,) → (B, …)."""
    if isinstance(places, int):
        return tokens[:, places]
    return tokens[torch.arange(tokens.shape[0], device=tokens.device), places]


def first_end(ids: Tensor, end_of_text: int) -> Tensor:
    """The place of each caption's first end-of-text, or T where there is none. (B, T) → (B,)."""
    is_end = ids == end_of_text
    return torch.where(is_end.any(dim=1), is_end.int().argmax(dim=1), ids.shape[1])


@dataclass(frozen=True)
class Stretch:
    """Rows `start` to `stop` − 1 of a sorted batch, and the length of the longest of them."""

    start: int
    stop: int
    length: int


def cut_by_length(lengths: Tensor, few_shapes: bool = False) -> tuple[Tensor, list[Stretch]]:
    """How to sort rows by length, and where to cut them then. lengths (B,) int64 → order (B,) int64, stretches.

    A stretch costs its rows times its longest, and an overhead: the cut of least total cost. The lengths must come to
    the host for it. With `few_shapes` stretches are cut at eighths of the batch, and made a little too long, so that
    other batches are likely to be cut into the same shapes.
    """
    by_length, order = lengths.sort(stable=True)
    overhead = OVERHEAD_CPU if lengths.device.type == "cpu" else OVERHEAD_GPU
    rows = by_length.tolist()
    ends = None
    if few_shapes:
        rows = [min(ceil_div(length, LENGTH_MULTIPLE) * LENGTH_MULTIPLE, rows[-1]) for length in rows]
        size = ceil_div(len(rows), MAX_GROUPS)
        ends = [*range(size, len(rows), size), len(rows)]
    parts = cut_by_cost(rows, overhead, ends)
    return order, [Stretch(part.start, part.stop, rows[part.stop - 1]) for part in parts]
