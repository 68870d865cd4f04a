"""Vectors of the shared space, as networks like them: each number with mean 0 and variance 1 over the training data.

CLIP's vectors lie in a narrow cone, and some of their numbers vary much more than others.
"""

import numpy as np
import torch
from torch import Tensor, nn

SMALLEST = 1e-4  # of a standard deviation: a number that never varies stays what it is


class Standard(nn.Module):
    """Moves and scales vectors (B, D) by the mean and the deviation of those that it was `fit` to."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dimensions))
        self.register_buffer("deviation", torch.ones(dimensions))

    def fit(self, vectors: np.ndarray) -> None:
        """Take mean and deviation of vectors (N, D)."""
        self.mean.copy_(torch.from_numpy(vectors.mean(axis=0, dtype=np.float64)))
        self.deviation.copy_(torch.from_numpy(vectors.std(axis=0, dtype=np.float64)).clamp(min=SMALLEST))

    def forward(self, vectors: Tensor) -> Tensor:
        return (vectors - self.mean) / self.deviation

    def undo(self, standard: Tensor) -> Tensor:
        """Vectors (B, D) that `forward` would make `standard`."""
        return standard * self.deviation + self.mean
