"""A moving average of the weights, which is often the better model while the learning rate is high.

After update t it is  a ← a + (1 − d)(w − a)  with  d = min(decay, (1 + t) / (10 + t)), so that the first weights, which
mean little, do not linger. BatchNorm's running statistics are not averaged: it did no better.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import torch
from pydantic import Field
from torch import Tensor, nn

from lexel.config import Config
from lexel.training.distributed.sharding import like, local


class AverageSettings(Config):
    """A decay of 0.999 remembers about a thousand steps."""

    decay: float | None = Field(
        default=None, gt=0, lt=1
    )  # of an exponential average of the weights; default: no average, the model is what the last step left


class Average:
    """The average of all parameters of `model` that are trained.

    Make it after the choice of frozen towers and after sharding.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self._current = {name: value for name, value in model.named_parameters() if value.requires_grad}
        self._averaged = {name: value.detach().clone() for name, value in self._current.items()}

    @classmethod
    def of(cls, model: nn.Module, settings: AverageSettings) -> Self | None:
        """The average that the settings ask for."""
        return None if settings.decay is None else cls(model, settings.decay)

    @torch.no_grad()
    def update(self) -> None:
        """Add the current weights to the average."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(*self._pairs(), 1 - decay)  # pyright: ignore[reportPrivateImportUsage]

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """Within the block the model has the averaged weights; afterwards it has its own again, to the bit."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def put_in_place(self) -> None:
        """Give the model the averaged weights for good."""
        for averaged, current in zip(*self._pairs(), strict=True):
            current.copy_(averaged)

    def state_tensors(self) -> dict[str, Tensor]:
        """What a snapshot must hold, by name."""
        return {"updates": torch.tensor(self.updates)} | self._averaged

    @torch.no_grad()
    def load_state_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Put back what `state_tensors` gave. Raises KeyError when something is missing."""
        self.updates = int(tensors["updates"])
        for name, averaged in self._averaged.items():
            averaged.copy_(like(averaged, tensors[name]))

    def _pairs(self) -> tuple[list[Tensor], list[Tensor]]:
        """This process's parts of the averages and of the current values."""
        return [local(value) for value in self._averaged.values()], [local(value) for value in self._current.values()]

    @torch.no_grad()
    def _swap(self) -> None:
        for averaged, current in zip(*self._pairs(), strict=True):
            kept = current.clone()
            current.copy_(averaged)
            averaged.copy_(kept)
