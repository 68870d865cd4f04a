"""The sum of the towers' gradients over the processes, made while the backward pass still goes on.

Each process has the gradients of its own rows of the batch; what one process would have is their sum. Parameters are
cut into buckets in the order in which the backward pass leaves them, and a bucket is on its way as soon as all its
gradients are there. In comparison with DistributedDataParallel there is no wrapper around the model, nothing has to be
undone (DDP takes the mean), and a process may have no rows at all. The loss has the complete gradients of the logit
scale and bias already (`lexel.training.loss.softmax`).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

import torch
import torch.distributed as dist
from torch import Tensor, nn

from lexel.models.towers import Tower
from lexel.training.distributed.sharding import is_spread
from lexel.training.distributed.world import World

BUCKET = 8 << 20  # bytes: large enough that starting costs nothing, small enough that little is left at the end


@dataclass
class _Bucket:
    """Consecutive parameters, and their gradients on the way."""

    parameters: list[nn.Parameter]
    missing: set[nn.Parameter] = field(default_factory=set)  # gradients that the backward pass has yet to leave
    buffer: Tensor | None = None  # one after the other, and then for each 1 where there is one
    work: dist.Work | None = None

    def start(self) -> None:
        parts = [_or_zeros(parameter).reshape(-1) for parameter in self.parameters]
        there = torch.tensor([float(parameter.grad is not None) for parameter in self.parameters])
        self.buffer = torch.cat([*parts, there.to(parts[0].device, non_blocking=True)])
        self.work = dist.all_reduce(self.buffer, async_op=True)

    def finish(self) -> None:
        """Put the sums in the place of the gradients, where any process has one."""
        assert self.work is not None
        assert self.buffer is not None
        self.work.wait()
        sizes = [parameter.numel() for parameter in self.parameters]
        *sums, there = self.buffer.split([*sizes, len(sizes)])
        for place, (parameter, total) in enumerate(zip(self.parameters, sums, strict=True)):
            if parameter.grad is None and there[place] == 0:
                continue
            if parameter.is_contiguous():
                parameter.grad = total.view(parameter.shape)
            else:  # as convolutions are kept on some devices: the optimizer wants gradients that lie as the weights do
                parameter.grad = torch.empty_like(parameter).copy_(total.view(parameter.shape))
        self.work = self.buffer = None


class GradientSum:
    """Sums the gradients of the learning parameters of the towers over the processes, in place, once a step."""

    def __init__(self, towers: Iterable[Tower]) -> None:
        """`towers` in the order of their forward passes; the backward pass leaves the last one's gradients first."""
        parameters = [parameter for tower in towers for parameter in tower.parameters()]
        self._buckets = _cut([parameter for parameter in reversed(parameters) if parameter.requires_grad])
        self._bucket_of = {parameter: bucket for bucket in self._buckets for parameter in bucket.parameters}
        self._overlapping = False
        self._started = 0
        for parameter in self._bucket_of:
            parameter.register_post_accumulate_grad_hook(self._left)

    @classmethod
    def of(cls, towers: Iterable[Tower], world: World) -> Self | None:
        """What these processes need; None for one alone, and for towers that are spread, whose gradients FSDP2 sums."""
        towers = list(towers)
        spread = any(is_spread(parameter) for tower in towers for parameter in tower.parameters())
        return None if world.size == 1 or spread else cls(towers)

    @contextmanager
    def overlapping(self) -> Iterator[None]:
        """Within the block is the step's last backward pass: each gradient that it leaves is complete."""
        for bucket in self._buckets:
            bucket.missing = set(bucket.parameters)
        self._overlapping = True
        try:
            yield
        finally:
            self._overlapping = False

    def finish(self) -> None:
        """After the step's last backward pass, on every process: all gradients are sums of all processes'."""
        self._start_until(len(self._buckets))
        for bucket in self._buckets:
            bucket.finish()
        self._started = 0

    def _left(self, parameter: Tensor) -> None:
        if not self._overlapping:
            return
        assert isinstance(parameter, nn.Parameter)
        bucket = self._bucket_of[parameter]
        if bucket.work is not None:
            raise RuntimeError("A gradient came after its sum was begun: there was more than one last backward pass.")
        bucket.missing.discard(parameter)
        # In the same order on every process, whichever gradients each of them has first.
        ready = self._started
        while ready < len(self._buckets) and not self._buckets[ready].missing:
            ready += 1
        self._start_until(ready)

    def _start_until(self, end: int) -> None:
        for bucket in self._buckets[self._started : end]:
            bucket.start()
        self._started = max(self._started, end)


def _cut(parameters: list[nn.Parameter]) -> list[_Bucket]:
    buckets: list[_Bucket] = []
    filled = BUCKET
    for parameter in parameters:
        if filled >= BUCKET:
            buckets.append(_Bucket([]))
            filled = 0
        buckets[-1].parameters.append(parameter)
        filled += parameter.numel() * parameter.element_size()
    return buckets


def _or_zeros(parameter: nn.Parameter) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
