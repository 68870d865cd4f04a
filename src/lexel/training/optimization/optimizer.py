"""The step that moves the weights: schedule, clipping, the guard against non-finite steps and averaging are inside."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from lexel.config import Config
from lexel.errors import LexelError
from lexel.models.clip import CLIP
from lexel.training.distributed.sharding import like
from lexel.training.optimization.average import Average
from lexel.training.optimization.gradient_norm import clip_gradients
from lexel.training.optimization.muon import Muon
from lexel.training.optimization.parameter_groups import parameter_groups
from lexel.training.optimization.schedule import Schedule
from lexel.training.precision import Precision, precision_on


class OptimizerSettings(Config):
    """AdamW (Loshchilov and Hutter 2019) with the CLIP paper's moments, alone or beside Muon."""

    kind: Literal["adamw", "muon"] = "adamw"  # muon: of matrices and kernels within blocks, AdamW for the rest
    learning_rate: float = Field(default=1e-3, gt=0)  # the highest, after the warm-up
    layer_decay: float = Field(
        default=1.0, gt=0, le=1
    )  # factor of the learning rate for each block further from the top
    weight_decay: float = Field(default=0.1, ge=0)  # of matrices and kernels only
    beta1: float = Field(default=0.9, ge=0, lt=1)  # decay of the first moment
    beta2: float = Field(default=0.98, ge=0, lt=1)  # decay of the second moment
    epsilon: float = Field(default=1e-6, gt=0)  # added to the root of the second moment
    clip_norm: float = Field(default=1.0, gt=0)  # of the whole gradient: a longer one is shortened to it
    patience: int = Field(default=5, ge=1)  # non-finite steps in a row before the run stops


@dataclass(frozen=True, slots=True)
class StepResult:
    """The outcome of one step."""

    learning_rate: float  # of the topmost layers
    gradient_norm: float  # before clipping
    skipped: bool  # loss or gradient was not finite, so the weights stayed as they were


class Optimizer:
    """Takes one step on `model` after gradients have been computed; parameters without a gradient do not change.

    The model may be any module; Muon and `layer_decay` want a CLIP. Make it after the choice of frozen towers and after
    sharding.
    """

    def __init__(
        self,
        model: nn.Module,
        settings: OptimizerSettings,
        schedule: Schedule,
        steps: int,
        average: Average | None = None,
        precision: Precision = "auto",
    ) -> None:
        self.model = model
        self.settings = settings
        self.schedule = schedule
        self.steps = steps
        self.average = average
        self.skipped_in_a_row = 0
        self.remember_buffers()
        for_adamw, for_muon = parameter_groups(
            model,
            muon=settings.kind == "muon",
            weight_decay=settings.weight_decay,
            layer_decay=settings.layer_decay,
        )
        self.adamw = torch.optim.AdamW(
            for_adamw,
            lr=settings.learning_rate,
            betas=(settings.beta1, settings.beta2),
            eps=settings.epsilon,
            fused=True,
        )
        self._rules: dict[str, torch.optim.Optimizer] = {"adamw": self.adamw}
        if for_muon:
            number_format = precision_on(next(model.parameters()).device, precision)
            self._rules["muon"] = Muon(for_muon, lr=settings.learning_rate, precision=number_format)

    def step(self, step: int, loss: float, keys: Sequence[str]) -> StepResult:
        """Apply the gradients of step `step`, or skip it when the loss or a gradient is not finite.

        `keys` name the samples of the batch, where they have names. Raises LexelError after `patience` skipped steps in
        a row.
        """
        learning_rate = self.settings.learning_rate * self.schedule.factor(step, self.steps)
        norm = clip_gradients(self.model.parameters(), self.settings.clip_norm)
        finite = math.isfinite(loss) and math.isfinite(norm)
        if finite:
            self._move(learning_rate)
        else:
            self._restore_buffers()
        self.model.zero_grad(set_to_none=True)
        self.skipped_in_a_row = 0 if finite else self.skipped_in_a_row + 1
        if self.skipped_in_a_row >= self.settings.patience:
            what = f"Loss or gradient was not finite in {self.skipped_in_a_row} steps in a row, last at step {step}"
            if not keys:
                raise LexelError(f"{what}.\nLower the learning rate.")
            raise LexelError(
                f"{what} with {', '.join(keys[:3])}, …\nLower optimizer.learning_rate, or look at the samples of these "
                "batches: log.jsonl in the run folder names them."
            )
        return StepResult(learning_rate, norm, skipped=not finite)

    def averaged(self) -> AbstractContextManager[None]:
        """Within the block the model has the averaged weights, where the recipe wants an average."""
        return nullcontext() if self.average is None else self.average.swapped()

    def unaveraged(self) -> AbstractContextManager[None]:
        """Within the block of `averaged`, a block in which the model has its own weights again."""
        return self.averaged()  # a swap undoes a swap

    def state_tensors(self) -> dict[str, Tensor]:
        """What a snapshot must hold beside the model, by name: on their devices, DTensors where they are sharded.

        `adamw.{parameter}.{moment}`, `muon.{parameter}.momentum`, `average.{parameter}`, `average.updates`.
        """
        found = {}
        for rule, optimizer in self._rules.items():
            for name, parameter in self.model.named_parameters():
                state = optimizer.state.get(parameter, {})
                found |= {f"{rule}.{name}.{moment}": value for moment, value in state.items()}
        if self.average is not None:
            found |= {f"average.{name}": value for name, value in self.average.state_tensors().items()}
        return found

    @torch.no_grad()
    def load_state_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Put back what `state_tensors` gave, whole and on any device. Raises KeyError where an average is missing."""
        for rule, optimizer in self._rules.items():
            optimizer.state.clear()
            for name, parameter in self.model.named_parameters():
                # The fused AdamW keeps its count of steps beside the parameter, and the moments in its memory format.
                if moments := _below(f"{rule}.{name}", tensors):
                    optimizer.state[parameter] = {
                        moment: value.to(parameter.device, copy=True)
                        if moment == "step"
                        else torch.empty_like(parameter).copy_(like(parameter, value))
                        for moment, value in moments.items()
                    }
        if self.average is not None:
            self.average.load_state_tensors(_below("average", tensors))
        self.remember_buffers()

    def remember_buffers(self) -> None:
        """Keep BatchNorm's running statistics: a forward pass over a bad batch would spoil them for good."""
        self._buffers = [buffer.clone() for buffer in self.model.buffers()]

    def _restore_buffers(self) -> None:
        for buffer, kept in zip(self.model.buffers(), self._buffers, strict=True):
            buffer.copy_(kept)

    def _move(self, learning_rate: float) -> None:
        for optimizer in self._rules.values():
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * group["share"]
            optimizer.step()
        if isinstance(self.model, CLIP):
            self.model.clamp_logit_scale()
        if self.average is not None:
            self.average.update()
        self.remember_buffers()


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors named `prefix.…`, without the prefix."""
    return {name.removeprefix(f"{prefix}."): value for name, value in tensors.items() if name.startswith(f"{prefix}.")}
