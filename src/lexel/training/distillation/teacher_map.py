"""The linear map from the embeddings of a model to those of its teacher, where their lengths differ.

It is one for both towers, so that what is near in the teacher's space is near in the model's own. It learns and is kept
in snapshots with the model, and is left behind at the end.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from lexel.models.clip import CLIP
from lexel.training.distributed.collectives import sum_over_processes

TEACHER_MAP = "teacher_map"  # the module's name in the CLIP


class TeacherMap(nn.Module):
    """Unit vectors (b, E) → unit vectors (b, D). Its gradient is summed over the processes, which all must use it."""

    def __init__(self, own: int, teachers: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(torch.randn(teachers, own, generator=generator) * own**-0.5)

    def forward(self, vectors: Tensor) -> Tensor:
        return F.normalize(F.linear(vectors, _SummedGradient.apply(self.weight).to(vectors.dtype)), dim=-1)


def add_teacher_map(clip: CLIP, teachers: int, seed: int) -> None:
    """Put the map beside the towers of `clip`, if its embeddings are not as long as the teacher's."""
    if clip.config.embedding != teachers:
        clip.add_module(TEACHER_MAP, TeacherMap(clip.config.embedding, teachers, seed).to(clip.logit_scale.device))


def teacher_map_of(clip: CLIP) -> TeacherMap | None:
    """The map, where there is one."""
    found = getattr(clip, TEACHER_MAP, None)
    return found if isinstance(found, TeacherMap) else None


class _SummedGradient(torch.autograd.Function):
    """A parameter as it is, whose gradient is that of all processes."""

    @staticmethod
    def forward(ctx: Any, parameter: Tensor) -> Tensor:
        return parameter.view_as(parameter)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return sum_over_processes(gradients[0].clone())
