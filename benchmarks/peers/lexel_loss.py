"""Lexel for `loss.py`: python lexel_loss.py softmax|sigmoid"""

import sys

import torch
from loss_rounds import serve
from torch import Tensor

from lexel.training.loss.positives import Groups
from lexel.training.loss.sigmoid import sigmoid_loss
from lexel.training.loss.softmax import softmax_loss

kind = sys.argv[1]


def loss_of(images: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    numbers = torch.arange(len(images))
    groups = Groups(numbers, torch.full_like(numbers, -1), numbers + len(numbers))
    if kind == "sigmoid":
        return sigmoid_loss(images, texts, scale, torch.tensor(-10.0, requires_grad=True), groups).loss
    return softmax_loss(images, texts, scale, groups).loss


serve(f"lexel {kind}", loss_of)
