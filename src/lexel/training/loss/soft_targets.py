"""How far a model's distribution over the rest of a batch is from its teacher's (Hinton et al. 2015; for CLIP,
affinity mimicking of TinyCLIP, Wu et al. 2023, and CLIP-KD, Yang et al. 2024).

    p = softmax(teacher's scale · teacher's queries · teacher's keysᵀ)      # (B, B), row by row
    q = softmax(scale · queries · keysᵀ)
    divergence = Σ p (log p − log q) / B

Rows are formed a few at a time, and their gradient with them, so the (B, B) matrices are never held: with b of the B
rows on this process the extra memory is that of a few rows and of the gradients themselves.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lexel.training.distributed.collectives import gather_rows, sum_over_processes, sum_own_rows
from lexel.training.loss.tiles import pieces

ENTRIES_AT_ONCE = 1 << 22  # of the matrix of similarities


def soft_target_loss(
    queries: Tensor,
    keys: Tensor,
    scale: Tensor,
    teacher_queries: Tensor,
    teacher_keys: Tensor,
    teacher_scale: float,
    counts: Sequence[int],
) -> Tensor:
    """The divergence above, of all processes' queries from all processes' keys.

    queries, keys (b, E) and the teacher's (b, D) are unit vectors, the rows of this process; `counts` says how many
    each process has, in all one or more. The gradients are those of this process's rows, and the whole one of the
    scale. Every process must call it.
    """
    return _SoftTargets.apply(queries, keys, scale, teacher_queries, teacher_keys, teacher_scale, tuple(counts))


class _SoftTargets(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        queries: Tensor,
        keys: Tensor,
        scale: Tensor,
        teacher_queries: Tensor,
        teacher_keys: Tensor,
        teacher_scale: float,
        counts: tuple[int, ...],
    ) -> Tensor:
        keys, teacher_keys = gather_rows(keys, counts), gather_rows(teacher_keys, counts)
        total = queries.new_zeros(())
        of_scale = torch.zeros_like(scale)
        of_queries, of_keys = torch.zeros_like(queries), torch.zeros_like(keys)
        with torch.autocast(queries.device.type, enabled=False):
            for rows in pieces(len(queries), max(1, ENTRIES_AT_ONCE // len(keys))):
                cosines = queries[rows] @ keys.T  # (R, B)
                logs = (scale * cosines).log_softmax(1)
                targets = (teacher_scale * (teacher_queries[rows] @ teacher_keys.T)).log_softmax(1)
                shares = targets.exp()
                total += (shares * (targets - logs)).sum()
                surplus = logs.exp() - shares  # the gradient of the logits
                of_scale += (surplus * cosines).sum()
                of_queries[rows] = scale * (surplus @ keys)
                of_keys.addmm_(surplus.T, scale * queries[rows])
        ctx.save_for_backward(of_queries, of_keys, of_scale)
        ctx.counts = counts
        return sum_over_processes(total) / len(keys)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *factors: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        of_queries, of_keys, of_scale = ctx.saved_tensors
        factor = factors[0] / len(of_keys)
        own_keys = sum_own_rows(of_keys * factor, ctx.counts)
        return of_queries * factor, own_keys, sum_over_processes(of_scale * factor), None, None, None, None
