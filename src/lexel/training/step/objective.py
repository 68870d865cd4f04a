"""What a step trains: forward passes through towers, and a loss of the outputs of the whole batch.

An `Objective` says what is computed. `Gradients` says how: device, precision, parts of the batch, compilation, memory
and processes are the same for every objective. CLIP's own objective is in `contrastive.py`; one with a teacher, a
captioner or an adapter is another class with these members, and needs no edit in the step.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor, nn

from lexel.data.loader import Batch
from lexel.models.towers import Tower
from lexel.training.metering.work import Work


@dataclass(frozen=True, slots=True)
class Rows:
    """An input of a forward pass for the whole batch, of which each part gets its rows."""

    values: Tensor  # (B, …), in the host's memory
    filler: float = 0.0  # what a row holds that only fills a part up, where a pass wants more rows than there are


@dataclass(frozen=True, slots=True)
class ForwardPass:
    """A computation on rows of the batch, which the step repeats for one part of it after another."""

    run: Callable[..., Tensor]  # rows of the inputs, on the device → outputs (b, …); the same rows give the same
    inputs: tuple[Rows, ...]
    tower: Tower | None = None  # that it goes through, if any


@dataclass(frozen=True, slots=True)
class BatchLoss:
    """The loss of a batch, of all processes' rows."""

    loss: Tensor  # scalar, differentiable
    numbers: Mapping[str, Tensor] = field(default_factory=dict)  # scalars for the log, by name


class Objective(Protocol):
    """What a step trains."""

    @property
    def model(self) -> nn.Module:
        """All that learns."""
        ...

    @property
    def towers(self) -> Mapping[str, Tower]:
        """The towers that the passes go through, by what people call them, in the order of the passes.

        With several processes the step sums their gradients over the processes. Gradients of the other parameters of
        `model` must come out of `loss` as sums over the processes.
        """
        ...

    def passes(self, batch: Batch, step: int) -> Mapping[str, ForwardPass]:
        """The forward passes of step `step` on this process's rows, in the order in which they are made."""
        ...

    def loss(self, batch: Batch, outputs: Mapping[str, Tensor]) -> BatchLoss:
        """The loss of the outputs of each pass (b, …), by its name: those of all of this process's rows."""
        ...

    def largest_passes(self, rows: int) -> Mapping[str, ForwardPass]:
        """Passes over as many made-up rows that need as much memory as any in the run: to find how many fit."""
        ...

    def work(self, batch: Batch, step: int) -> Work:
        """How much step `step` computes on this process's rows."""
        ...
