"""Muon: momentum whose every matrix is made orthogonal before it is subtracted (Jordan et al. 2024).

    m ← 0.95 m + 0.05 g        u ← orthogonal(0.95 m + 0.05 g)        w ← w − rate · (decay · w + 0.2 √max(A, B) · u)

With the factor 0.2 √max(A, B) an A × B matrix moves about as far as under AdamW, so that AdamW's learning rate and
decay serve both (Liu et al. 2025). Unlike `torch.optim.Muon` this one can work in float32, so that no rounding grows;
takes all matrices of one shape at once; and gathers each sharded matrix once, not in every iteration.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lexel.training.distributed.sharding import like, local, whole

MOMENTUM = 0.95
NEWTON_SCHULZ_STEPS = 5
QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan's: so steep at zero that few rounds lift small singular values near to 1
UPDATE_RMS = 0.2  # about that of AdamW's update

Member = tuple[nn.Parameter, Mapping[str, Any]]  # and the settings of its group


class Muon(torch.optim.Optimizer):
    """Muon for matrices and for kernels (outputs, inputs, …), which count as matrices of outputs by all the rest.
    `precision` is that of the Newton–Schulz iterations."""

    def __init__(
        self, groups: Iterable[Mapping[str, Any]], *, lr: float, precision: torch.dtype = torch.float32
    ) -> None:
        super().__init__([dict(group) for group in groups], {"lr": lr, "weight_decay": 0.0})
        self.precision = precision

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Move every parameter that has a gradient. The gradients are overwritten."""
        alike: defaultdict[torch.Size, list[Member]] = defaultdict(list)
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    alike[parameter.shape].append((parameter, group))
        for members in alike.values():
            self._move(members)

    def _move(self, members: Sequence[Member]) -> None:
        """Move parameters of one shape."""
        parameters = [parameter for parameter, _ in members]
        gradients = [local(parameter.grad) for parameter in parameters if parameter.grad is not None]
        momenta = [local(self._momentum(parameter)) for parameter in parameters]
        torch._foreach_lerp_(momenta, gradients, 1 - MOMENTUM)  # pyright: ignore[reportPrivateImportUsage]
        torch._foreach_lerp_(gradients, momenta, MOMENTUM)  # pyright: ignore[reportPrivateImportUsage]
        matrices = [whole(parameter.grad).flatten(1) for parameter in parameters if parameter.grad is not None]
        directions = orthogonal(torch.stack(matrices), self.precision)  # (parameters, A, B)
        reach = UPDATE_RMS * math.sqrt(max(directions.shape[-2:]))
        for (parameter, group), direction in zip(members, directions, strict=True):
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(like(parameter, direction.view(parameter.shape)), alpha=-group["lr"] * reach)

    def _momentum(self, parameter: nn.Parameter) -> Tensor:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        return state["momentum"]


def orthogonal(matrices: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
    """The nearest (half-)orthogonal matrices, roughly: singular values of 0.7 … 1.2. (N, A, B) → (N, A, B), float32.

    By Newton–Schulz iterations. In bfloat16 they are up to four times as fast, where the hardware multiplies it, and do
    as well; but the last bits of the gradient then move the direction by as much as a hundredth.
    """
    a, b, c = QUINTIC
    wide = matrices.shape[-2] <= matrices.shape[-1]
    x = matrices if wide else matrices.mT
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    x = x.to(precision)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x if wide else x.mT).float()
