"""Symmetric contrastive loss in tiles, with several right answers a row.

Radford et al. 2021 take the diagonal as the only right answer; here the target of a row is uniform over all that belong
(`positives.py`). The B×B matrix of logits is never held: each tile is formed, reduced and dropped, and formed once more
in the backward pass, which gives both sides' gradients from it. With b of the B rows on this process that is 8bBE
operations and, beside the gradients themselves, the memory of two tiles.

Instead of each row's and column's own maximum, one shift common to all keeps the exponentials in range: one exponential
an entry then serves its row and its column. Logits are bounded, as vectors and scale are, so nothing overflows. Should
a whole row or column lie so far below the bound that float32 cannot hold its sum, the tiles are float64.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lexel.training.distributed.collectives import gather_numbers, gather_rows, sum_over_processes, sum_own_rows
from lexel.training.loss.positives import Groups, Positives
from lexel.training.loss.settings import ContrastiveLoss
from lexel.training.loss.tiles import Tiles, inner_product, products, reduced_precision

EXACT_SUM = 1e14  # times the smallest normal number: a larger sum has lost nothing that its type can show


def softmax_loss(
    images: Tensor,
    texts: Tensor,
    scale: Tensor,
    groups: Groups,
    *,
    bias: Tensor | None = None,
    label_smoothing: float = 0.0,
) -> ContrastiveLoss:
    """Cross-entropy over texts for each image and over images for each text, averaged.

    images, texts (b, E) float32 or float64, the rows of this process, unit vectors for any scale that is in use (logits
    may be ±600 at most); scale and bias scalars, the factor and offset of the cosines. With a process group every
    process gives its own rows, as many as it has, and gets the loss of all, the gradients of its own rows, and the
    whole gradient of the scale. A bias cancels in a softmax and its gradient is 0. Under autocast matrix products may
    round their inputs; everything else stays float32.
    """
    positives = Positives(groups, images)
    loss, accuracy = _Softmax.apply(images, texts, scale, positives, label_smoothing, reduced_precision(images.device))
    return ContrastiveLoss(loss if bias is None else loss + 0 * bias, accuracy)


class _Softmax(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        images: Tensor,
        texts: Tensor,
        scale: Tensor,
        positives: Positives,
        smoothing: float,
        reduced: bool,
    ) -> tuple[Tensor, Tensor]:
        texts = gather_rows(texts, positives.rows_of_each)
        ctx.positives, ctx.smoothing, ctx.reduced = positives, smoothing, reduced
        with products(images.device, reduced=reduced):
            bound = scale.abs() * gather_numbers(_longest(images)[None]).max() * _longest(texts)
            sums = _sum_tiles(images, texts, scale, positives, bound, images.dtype)
            loss, accuracy, smallest = _evaluate(sums, images, texts, scale, positives, smoothing)
            # The one moment that waits for a GPU; the choice is the same on all processes.
            if images.dtype != torch.float64 and smallest < EXACT_SUM * torch.finfo(images.dtype).tiny:
                sums = _sum_tiles(images, texts, scale, positives, bound, torch.float64)
                loss, accuracy, _ = _evaluate(sums, images, texts, scale, positives, smoothing)
        ctx.save_for_backward(images, texts, scale, sums.of_rows, sums.of_columns, sums.shift)
        ctx.mark_non_differentiable(accuracy)
        return loss, accuracy

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *factors: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        images, texts, scale, row_sums, column_sums, shift = ctx.saved_tensors
        positives, count = ctx.positives, len(texts)
        of_images, of_texts, _ = ctx.needs_input_grad[:3]
        of_images = of_images or not of_texts  # the scale's gradient follows from either
        image_gradient = torch.zeros_like(images) if of_images else None
        text_gradient = torch.zeros_like(texts) if of_texts else None
        per_row, per_column = 1 / row_sums[:, None], 1 / column_sums
        with products(images.device, reduced=ctx.reduced):
            tiles = Tiles(images, texts, scale, shift, row_sums.dtype)
            for rows, columns, tile in tiles:
                share = torch.add(per_row[rows], per_column[columns], out=tiles.beside(tile))
                tile.exp_().mul_(share)  # probabilities over texts + over images
                positives.in_tile(rows, columns).subtract_weights(tile, 1 - ctx.smoothing)
                tile = tile.to(images.dtype)
                if image_gradient is not None:
                    image_gradient[rows].addmm_(tile, texts[columns])
                if text_gradient is not None:
                    text_gradient[columns].addmm_(tile.T, images[rows])
        spread = 2 * ctx.smoothing / count
        for gradient, others in ((image_gradient, texts), (text_gradient, images)):
            if gradient is not None and spread:
                gradient.sub_(others.sum(0), alpha=spread)
        factor = factors[0] / (2 * count)
        if image_gradient is not None:
            scale_gradient = inner_product(images, image_gradient)
        else:
            assert text_gradient is not None
            scale_gradient = inner_product(texts, text_gradient)
        scale_gradient = sum_over_processes(scale_gradient).mul_(factor)
        if image_gradient is not None:
            image_gradient.mul_(scale * factor)
        if text_gradient is not None:
            text_gradient = sum_own_rows(text_gradient.mul_(scale * factor), positives.rows_of_each)
        return image_gradient, text_gradient, scale_gradient, None, None, None


@dataclass(frozen=True, slots=True)
class _TileSums:
    """What the forward pass adds up over the tiles of logits + shift: (b,) for rows here, (B,) for all columns."""

    shift: Tensor  # scalar
    of_rows: Tensor  # (b,) Σ exp over texts
    of_columns: Tensor  # (B,) Σ exp over the images of all processes
    answers: Tensor  # (b,) Σ weight · logit of the right answers
    is_right: Tensor  # (b,) bool: the best text is a right answer


def _sum_tiles(
    images: Tensor, texts: Tensor, scale: Tensor, positives: Positives, bound: Tensor, dtype: torch.dtype
) -> _TileSums:
    """Form every tile in `dtype` once. No logit is larger than `bound`.

    The shift is such that the sum of a row of logits that all reach the bound is just within `dtype`.
    """
    ceiling = math.log(torch.finfo(dtype).max) - math.log(len(texts)) - 3
    shift = (ceiling - bound).clamp(max=0).to(images.dtype)
    of_rows = images.new_zeros(len(images), dtype=dtype)
    of_columns = images.new_zeros(len(texts), dtype=dtype)
    answers = torch.zeros_like(of_rows)
    best_answer, best = (torch.full_like(of_rows, -torch.inf) for _ in range(2))
    for rows, columns, tile in Tiles(images, texts, scale, shift, dtype):
        best[rows] = best[rows].maximum(tile.amax(1))
        right_answers = positives.in_tile(rows, columns)
        right_answers.raise_best(tile, best_answer)
        right_answers.add_weighted(tile, answers)
        tile.exp_()
        of_rows[rows] += tile.sum(1)
        of_columns[columns] += tile.sum(0)
    sum_over_processes(of_columns)
    return _TileSums(shift, of_rows, of_columns, answers, best_answer >= best)


def _evaluate(
    sums: _TileSums, images: Tensor, texts: Tensor, scale: Tensor, positives: Positives, smoothing: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Loss, accuracy and the smallest sum of a row or column, scalars that are the same on all processes."""
    count, dtype = len(texts), sums.of_rows.dtype
    own = slice(positives.first_row, positives.first_row + len(images))
    # Two logarithms of sums less the weighted logits of the answers: the shift cancels.
    losses = sums.of_rows.log() + sums.of_columns[own].log() - (1 - smoothing) * sums.answers  # (b,)
    loss = losses.sum()
    if smoothing:
        all_logits = scale * (images.sum(0) * texts.sum(0)).sum() + sums.shift * len(images) * count
        loss -= 2 * smoothing / count * all_logits
    right = sums.is_right.sum()
    smallest = torch.cat([sums.of_rows, sums.of_columns]).min()
    everywhere = gather_numbers(torch.stack([loss, right.to(dtype), smallest]))  # (processes, 3)
    losses, rights, smallests = everywhere.unbind(1)
    accuracy = (rights.sum() / count).to(images.dtype)
    return (losses.sum() / (2 * count)).to(images.dtype), accuracy, smallests.min()


def _longest(vectors: Tensor) -> Tensor:
    """The greatest length of a vector (N, E); 0 of none."""
    return torch.cat([torch.linalg.vector_norm(vectors, dim=1), vectors.new_zeros(1)]).max()
