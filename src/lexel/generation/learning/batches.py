"""Which rows come in which step, and what is random in it: functions of seed and step alone.

So a run that was cut off needs neither a position nor a generator's state to go on.
"""

import numpy as np
import torch

from lexel.data.order import Order
from lexel.training.step.seeds import seed_of


class RowOrder:
    """The rows 0 … count − 1 in epochs, each in another random order."""

    def __init__(self, count: int, batch_size: int, seed: int) -> None:
        self._order = Order([count], [1.0], seed)
        self.batch_size = batch_size

    def rows(self, step: int) -> np.ndarray:
        """(batch_size,) int64: the rows of step `step`, counted from 0; a batch may straddle two epochs."""
        return np.array([sample.index for sample in self._order.batch(step, self.batch_size)], dtype=np.int64)


def torch_random(seed: int, step: int, what: str) -> torch.Generator:
    """A generator on the host for one kind of random numbers of one step; every device gets the same ones."""
    return torch.Generator().manual_seed(seed_of(seed, step, what))


def numpy_random(seed: int, step: int, what: str) -> np.random.Generator:
    """As `torch_random`, of NumPy."""
    return np.random.Generator(np.random.PCG64(seed_of(seed, step, what)))
