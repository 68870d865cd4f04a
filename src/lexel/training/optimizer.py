"""AdamW as CLIP is trained with it: schedule, clipping and the guard against non-finite steps are inside."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from pydantic import Field
from torch import nn

from lexel.config import Config
from lexel.errors import LexelError
from lexel.models.clip import CLIP
from lexel.training.schedule import Schedule


class OptimizerSettings(Config):
    """AdamW (Loshchilov and Hutter 2019) with the CLIP paper's moments."""

    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.1, ge=0)  # of matrices and kernels only
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.98, ge=0, lt=1)
    epsilon: float = Field(default=1e-6, gt=0)
    clip_norm: float = Field(default=1.0, gt=0)  # of the whole gradient
    patience: int = Field(default=5, ge=1)  # non-finite steps in a row before the run stops


@dataclass(frozen=True, slots=True)
class StepResult:
    """What became of one step."""

    learning_rate: float
    gradient_norm: float  # before clipping
    skipped: bool  # loss or gradient was not finite, so the weights stayed as they were


class Optimizer:
    """Takes one step on `clip` after gradients have been computed."""

    def __init__(self, clip: CLIP, settings: OptimizerSettings, schedule: Schedule, steps: int) -> None:
        self.clip = clip
        self.settings = settings
        self.schedule = schedule
        self.steps = steps
        self.skipped_in_a_row = 0
        self.remember_buffers()
        self.adamw = torch.optim.AdamW(
            [
                {"params": decayed(clip), "weight_decay": settings.weight_decay},
                {"params": undecayed(clip), "weight_decay": 0.0},
            ],
            lr=settings.learning_rate,
            betas=(settings.beta1, settings.beta2),
            eps=settings.epsilon,
            fused=True,
        )

    def step(self, step: int, loss: float, keys: Sequence[str]) -> StepResult:
        """Apply the gradients of step `step`, or skip it when the loss or a gradient is not finite.

        `keys` name the samples of the batch. Raises LexelError after `patience` skipped steps in a row.
        """
        learning_rate = self.settings.learning_rate * self.schedule.factor(step, self.steps)
        for group in self.adamw.param_groups:
            group["lr"] = learning_rate
        norm = nn.utils.clip_grad_norm_(self.clip.parameters(), self.settings.clip_norm).item()
        finite = math.isfinite(loss) and math.isfinite(norm)
        if finite:
            self.adamw.step()
            self.clip.clamp_logit_scale()
            self.remember_buffers()
        else:
            self._restore_buffers()
        self.adamw.zero_grad(set_to_none=True)
        self.skipped_in_a_row = 0 if finite else self.skipped_in_a_row + 1
        if self.skipped_in_a_row >= self.settings.patience:
            raise LexelError(
                f"Loss or gradient was not finite in {self.skipped_in_a_row} steps in a row, last at step {step} with "
                f"{', '.join(keys[:3])}, …\nLower optimizer.learning_rate, or look at the samples of these batches: "
                "log.jsonl in the run folder names them."
            )
        return StepResult(learning_rate, norm, skipped=not finite)

    def remember_buffers(self) -> None:
        """Keep BatchNorm's running statistics: a forward pass over a bad batch would spoil them for good."""
        self._buffers = [buffer.clone() for buffer in self.clip.buffers()]

    def _restore_buffers(self) -> None:
        for buffer, kept in zip(self.clip.buffers(), self._buffers, strict=True):
            buffer.copy_(kept)


def decayed(clip: CLIP) -> list[nn.Parameter]:
    """Matrices and kernels: what weight decay should shrink."""
    return [parameter for name, parameter in clip.named_parameters() if _decays(clip, name, parameter)]


def undecayed(clip: CLIP) -> list[nn.Parameter]:
    """Norms, biases, embeddings, logit scale and bias: what weight decay would only distort."""
    return [parameter for name, parameter in clip.named_parameters() if not _decays(clip, name, parameter)]


def _decays(clip: CLIP, name: str, parameter: nn.Parameter) -> bool:
    owner, _, leaf = name.rpartition(".")
    is_embedding = isinstance(clip.get_submodule(owner), nn.Embedding) or leaf in {
        "position_embedding",
        "class_embedding",
        "queries",
        "probe",
    }
    return parameter.ndim > 1 and not is_embedding
