"""Losses of processes that each have some rows of a batch, against the loss of one that has them all."""

from unittest.mock import patch

import pytest
import torch
from plain_losses import make_mixed_case, plain_accuracy, plain_sigmoid, plain_softmax
from processes import together
from torch import Tensor

from lexel.training.loss import tiles
from lexel.training.loss.sigmoid import sigmoid_loss
from lexel.training.loss.softmax import softmax_loss

ROWS = {2: [7, 12], 3: [8, 0, 11]}  # of each process
EVEN = {2: [8, 8], 3: [6, 6, 6]}
WAYS = [
    ("softmax", 14.0, 30, False, torch.float64),
    ("softmax", 100.0, 2, False, torch.float64),
    ("softmax", 300.0, 1000, True, torch.float32),  # too far apart for float32's range
    ("sigmoid", 14.0, 30, False, torch.float64),
    ("sigmoid", 100.0, 2, True, torch.float64),
]


def cases(count: int) -> list[tuple]:
    return [(rows[count], *way) for rows in (ROWS, EVEN) for way in WAYS]


def take(count: int) -> list[list[Tensor]]:
    """What one process finds in each case: loss, accuracy, and the gradients of its rows, the scale and the bias."""
    torch.distributed.init_process_group("gloo")
    rank = torch.distributed.get_rank()
    found = []
    for rows, kind, scale, meanings, opposite, dtype in cases(count):
        case = make_mixed_case(sum(rows), meanings, scale)
        if opposite:
            case.texts = -case.images
        own = slice(sum(rows[:rank]), sum(rows[: rank + 1]))
        images, texts, factor, bias = case.inputs(dtype, own)
        groups = type(case.groups)(case.groups.image[own], case.groups.label[own], case.groups.text[own])
        with patch.object(tiles, "CPU_TILE", (3, 5)):
            if kind == "softmax":
                contrast = softmax_loss(images, texts, factor, groups, bias=bias, label_smoothing=0.1)
            else:
                contrast = sigmoid_loss(images, texts, factor, bias, groups)
            (2 * contrast.loss).backward()
        gradients = [leaf.grad.double() / 2 for leaf in (images, texts, factor, bias)]
        found.append([contrast.loss.detach().double(), contrast.accuracy.double(), *gradients])
    return found


@pytest.mark.parametrize("count", [2, 3])
def test_every_process_gets_the_loss_of_all_and_the_gradients_of_its_rows(count):
    of_ranks = together(count, [(take, (count,))])[0]
    for found in of_ranks:
        if isinstance(found, BaseException):
            raise found
    for number, (rows, kind, scale, meanings, opposite, dtype) in enumerate(cases(count)):
        case = make_mixed_case(sum(rows), meanings, scale)
        if opposite:
            case.texts = -case.images
        inputs = case.inputs()
        loss = plain_softmax(case, inputs, 0.1) if kind == "softmax" else plain_sigmoid(case, inputs)
        loss.backward()
        tolerance = 1e-10 if dtype == torch.float64 else 1e-5
        images, texts, factor, bias = (torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in inputs)
        for rank, found in enumerate(of_rank[number] for of_rank in of_ranks):
            own = slice(sum(rows[:rank]), sum(rows[: rank + 1]))
            expected = [
                loss.detach(),
                torch.tensor(plain_accuracy(case), dtype=torch.float64),
                images[own],
                texts[own],
                factor,
                bias,
            ]
            for ours, plain in zip(found, expected, strict=True):
                torch.testing.assert_close(ours, plain, rtol=tolerance, atol=tolerance, check_dtype=False)
