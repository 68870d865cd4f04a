"""Sigmoid loss in tiles (Zhai et al. 2023, SigLIP): each pair of an image and a text is a yes-or-no question.

No entry depends on another, so a tile's gradients are taken when its loss is: 6bBE operations with b of the B rows on
this process, and beside the gradients themselves the memory of a few tiles.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lexel.training.distributed.collectives import gather_rows, sum_over_processes, sum_own_rows
from lexel.training.loss.positives import Groups, Positives
from lexel.training.loss.settings import ContrastiveLoss
from lexel.training.loss.tiles import Tiles, inner_product, products, reduced_precision

softplus = torch.ops.aten.softplus.out  # log(1 + exp(x)); linear from 40 on, where the difference is beyond any type


def first_bias(batch_size: int) -> float:
    """The first bias: with it an image's one right answer weighs as much as all its wrong answers together."""
    return -math.log(batch_size - 1)


def sigmoid_loss(images: Tensor, texts: Tensor, scale: Tensor, bias: Tensor, groups: Groups) -> ContrastiveLoss:
    """−log of the probability of the right answer (yes or no), summed over an image's texts, averaged over images.

    images, texts (b, E) float32 or float64, the rows of this process; scale and bias scalars, the factor and offset of
    the cosines; every text that belongs to an image is a yes. Processes as in `softmax_loss`: the loss of all, the
    gradients of the own rows, the whole gradients of scale and bias. Any logits will do.
    """
    positives = Positives(groups, images)
    loss, accuracy = _Sigmoid.apply(images, texts, scale, bias, positives, reduced_precision(images.device))
    return ContrastiveLoss(loss, accuracy)


class _Sigmoid(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, images: Tensor, texts: Tensor, scale: Tensor, bias: Tensor, positives: Positives, reduced: bool
    ) -> tuple[Tensor, Tensor]:
        ctx.rows_of_each = positives.rows_of_each
        texts = gather_rows(texts, positives.rows_of_each)
        of_images, of_texts, of_scale, _ = ctx.needs_input_grad[:4]
        of_images = of_images or (of_scale and not of_texts)  # the scale's gradient follows from either
        image_gradient = torch.zeros_like(images) if of_images else None
        text_gradient = torch.zeros_like(texts) if of_texts else None
        losses, bias_gradients = (images.new_zeros(len(images)) for _ in range(2))
        best_answer, best = (torch.full_like(losses, -torch.inf) for _ in range(2))
        with products(images.device, reduced=reduced):
            tiles = Tiles(images, texts, scale, bias, images.dtype)
            for rows, columns, tile in tiles:
                best[rows] = best[rows].maximum(tile.amax(1))
                right_answers = positives.in_tile(rows, columns)
                right_answers.raise_best(tile, best_answer)
                right_answers.negate(tile)  # now every question is to be answered no
                losses[rows] += softplus(tile, 1, 40, out=tiles.beside(tile)).sum(1)
                if not any(ctx.needs_input_grad):
                    continue
                right_answers.negate(tile.sigmoid_())
                bias_gradients[rows] += tile.sum(1)
                if image_gradient is not None:
                    image_gradient[rows].addmm_(tile, texts[columns])
                if text_gradient is not None:
                    text_gradient[columns].addmm_(tile.T, images[rows])

        count = len(texts)
        scale_gradient = images.new_zeros(())
        if image_gradient is not None:
            scale_gradient = inner_product(images, image_gradient)
            image_gradient.mul_(scale / count)
        elif text_gradient is not None:
            scale_gradient = inner_product(texts, text_gradient)
        if text_gradient is not None:
            text_gradient.mul_(scale / count)
        right = (best_answer >= best).sum().to(images.dtype)
        sums = torch.stack([losses.sum(), right, scale_gradient, bias_gradients.sum()])
        loss, accuracy, *others = (sum_over_processes(sums) / count).unbind()
        ctx.save_for_backward(image_gradient, text_gradient, *others)
        ctx.mark_non_differentiable(accuracy)
        return loss, accuracy

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *factors: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        of_images, of_texts, of_scale, of_bias = ctx.saved_tensors
        factor = factors[0]
        if of_texts is not None:
            of_texts = sum_own_rows(of_texts * factor, ctx.rows_of_each)
        if of_images is not None:
            of_images = of_images * factor
        return of_images, of_texts, of_scale * factor, of_bias * factor, None, None
