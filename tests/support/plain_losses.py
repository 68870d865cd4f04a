"""The losses as their definitions say, with the whole matrix, in float64: what the tiled ones are held against."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lexel.training.loss.positives import Groups


@dataclass
class Case:
    """A made-up batch."""

    images: Tensor  # (B, E) float64 unit vectors
    texts: Tensor
    scale: Tensor
    bias: Tensor
    groups: Groups

    def inputs(self, dtype: torch.dtype = torch.float64, rows: slice = slice(None)) -> list[Tensor]:
        """Fresh leaves: images, texts, scale and bias."""
        given = (self.images[rows], self.texts[rows], self.scale, self.bias)
        return [tensor.detach().to(dtype, copy=True).requires_grad_() for tensor in given]

    def belong(self) -> Tensor:
        """(B, B) bool, from the definition, pair by pair."""
        image, label, text = (kind.tolist() for kind in (self.groups.image, self.groups.label, self.groups.text))
        everybody = range(len(image))
        rows = [
            [image[i] == image[j] or text[i] == text[j] or label[i] == text[j] for j in everybody] for i in everybody
        ]
        return torch.tensor(rows)


def make_case(seed: int, image: list[int], label: list[int], text: list[int], scale: float = 14.0) -> Case:
    random = np.random.default_rng(seed)
    images, texts = (F.normalize(torch.from_numpy(random.normal(size=(len(image), 8)))) for _ in range(2))
    groups = Groups(*(torch.tensor(kind, dtype=torch.int64) for kind in (image, label, text)))
    return Case(images, texts, torch.tensor(scale).double(), torch.tensor(-3.0).double(), groups)


def make_mixed_case(count: int, meanings: int, scale: float = 14.0) -> Case:
    """Some images come twice, some texts say the same, some have a label that may be another's text."""
    random = np.random.default_rng(count)
    image, text = (random.integers(0, meanings, count).tolist() for _ in range(2))
    return make_case(count, image, random.integers(-1, meanings, count).tolist(), text, scale)


def plain_softmax(case: Case, inputs: list[Tensor], smoothing: float = 0.0) -> Tensor:
    images, texts, scale, _ = inputs
    logits = scale * images @ texts.T
    belong = case.belong().double()
    total = logits.new_zeros(())
    for matrix, right in ((logits, belong), (logits.T, belong.T)):
        targets = (1 - smoothing) * right / right.sum(1, keepdim=True) + smoothing / len(right)
        total = total - (targets * matrix.log_softmax(1)).sum() / len(right)
    return total / 2


def plain_sigmoid(case: Case, inputs: list[Tensor]) -> Tensor:
    images, texts, scale, bias = inputs
    logits = scale * images @ texts.T + bias
    return -F.logsigmoid(torch.where(case.belong(), logits, -logits)).sum() / len(images)


def plain_accuracy(case: Case) -> float:
    best = (case.scale * case.images @ case.texts.T).argmax(1)
    return case.belong()[torch.arange(len(best)), best].double().mean().item()


def assert_same_gradients(found: list[Tensor], expected: list[Tensor], tolerance: float) -> None:
    """Each differs by at most `tolerance` of its length, or of 1 where it is short."""
    for ours, plain in zip(found, expected, strict=True):
        zero = torch.zeros_like(plain)
        ours, plain = (zero if leaf.grad is None else leaf.grad.double() for leaf in (ours, plain))
        assert (ours - plain).norm() <= tolerance * max(plain.norm().item(), 1e-3)
