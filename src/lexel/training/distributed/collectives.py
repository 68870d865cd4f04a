"""Collectives for the losses: all-gather of rows, reduce-scatter of rows' gradients, all-reduce of sums.

Each process owns some rows of a matrix, in the order of ranks. How many it owns may differ, and may be none. Without a
process group one process owns all rows, and each function returns what it is given.
"""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional as F


def has_peers() -> bool:
    """Whether there are other processes."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def rank() -> int:
    return dist.get_rank() if has_peers() else 0


def rows_of_each(rows: int, device: torch.device) -> list[int]:
    """How many rows each process owns, by rank; this one owns `rows`."""
    if not has_peers():
        return [rows]
    return gather_numbers(torch.tensor([rows], device=device)).flatten().tolist()


def gather_numbers(numbers: Tensor) -> Tensor:
    """The `numbers` (K,) of every process: (processes, K)."""
    if not has_peers():
        return numbers[None]
    gathered = numbers.new_empty(dist.get_world_size() * len(numbers))
    _all_gather(gathered, numbers)
    return gathered.view(-1, len(numbers))


def gather_rows(rows: Tensor, rows_of_each: Sequence[int]) -> Tensor:
    """All-gather: (b, …) of this process → (B, …) of all, of which rank r owns `rows_of_each[r]`."""
    if not has_peers():
        return rows
    longest = max(rows_of_each)
    padded = rows if len(rows) == longest else _pad(rows, longest)
    gathered = rows.new_empty(len(rows_of_each) * longest, *rows.shape[1:])
    _all_gather(gathered, padded.contiguous())
    if min(rows_of_each) == longest:
        return gathered
    return torch.cat([part[:count] for part, count in zip(gathered.split(longest), rows_of_each, strict=True)])


def sum_own_rows(rows: Tensor, rows_of_each: Sequence[int]) -> Tensor:
    """Reduce-scatter: (B, E) of each process → the rows (b, E) that this one owns, summed over the processes."""
    if not has_peers():
        return rows
    longest = max(rows_of_each)
    if min(rows_of_each) < longest:
        rows = torch.cat([_pad(part, longest) for part in rows.split(list(rows_of_each))])
    own = rows.new_empty(longest, *rows.shape[1:])
    _reduce_scatter(own, rows.contiguous())
    return own[: rows_of_each[rank()]]


def sum_over_processes(tensor: Tensor) -> Tensor:
    """All-reduce: `tensor` becomes the sum over all processes, in place."""
    if has_peers():
        dist.all_reduce(tensor)
    return tensor


def _pad(rows: Tensor, length: int) -> Tensor:
    return F.pad(rows, (0, 0) * (rows.ndim - 1) + (0, length - len(rows)))


def _all_gather(output: Tensor, given: Tensor) -> None:
    # torch before 2.13 has it under its older name only, and later ones warn of that.
    getattr(dist, "all_gather_single", dist.all_gather_into_tensor)(output, given)


def _reduce_scatter(output: Tensor, given: Tensor) -> None:
    getattr(dist, "reduce_scatter_single", dist.reduce_scatter_tensor)(output, given)
