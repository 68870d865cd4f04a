"""All-reduce of the towers' gradients, overlapped with the backward pass.

Each process has the gradients of its own rows of the batch; the gradient of the whole batch is their sum. Parameters
are cut into buckets in the order in which the backward pass computes their gradients, and the all-reduce of a bucket
starts as soon as all its gradients are there. Unlike DistributedDataParallel this needs no wrapper around the model,
gives sums and not means, and a process may have no rows at all. The loss gives the complete gradients of the logit
scale and bias itself (`lexel.training.loss`).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

import torch
import torch.distributed as dist
from torch import Tensor, nn

from lexel.models.towers import Tower
from lexel.training.distributed.sharding import is_sharded
from lexel.training.distributed.world import World

BUCKET_BYTES = 8 << 20  # large enough that starting costs nothing, small enough that little is left at the end


@dataclass
class _Bucket:
    """Consecutive parameters, and the all-reduce of their gradients once it has started."""

    parameters: list[nn.Parameter]
    missing: set[nn.Parameter] = field(default_factory=set)  # whose gradients the backward pass has yet to compute
    buffer: Tensor | None = None  # the gradients one after the other, then for each parameter 1 if it has one, else 0
    work: dist.Work | None = None

    def start(self) -> None:
        parts = [_or_zeros(parameter).reshape(-1) for parameter in self.parameters]
        present = torch.tensor([float(parameter.grad is not None) for parameter in self.parameters])
        self.buffer = torch.cat([*parts, present.to(parts[0].device, non_blocking=True)])
        self.work = dist.all_reduce(self.buffer, async_op=True)

    def finish(self) -> None:
        """Replace each gradient that any process has by the sum."""
        assert self.work is not None
        assert self.buffer is not None
        self.work.wait()
        sizes = [parameter.numel() for parameter in self.parameters]
        *sums, present = self.buffer.split([*sizes, len(sizes)])
        for place, (parameter, total) in enumerate(zip(self.parameters, sums, strict=True)):
            if parameter.grad is None and present[place] == 0:
                continue
            if parameter.is_contiguous():
                parameter.grad = total.view(parameter.shape)
            else:  # as convolutions are kept on some devices: the optimizer wants gradients that lie as the weights do
                parameter.grad = torch.empty_like(parameter).copy_(total.view(parameter.shape))
        self.work = self.buffer = None


class GradientSum:
    """Sums the gradients of the learning parameters of the towers over the processes, in place, once a step."""

    def __init__(self, towers: Iterable[Tower]) -> None:
        """`towers` in the order of their forward passes; the backward pass computes the last one's gradients first."""
        parameters = [parameter for tower in towers for parameter in tower.parameters()]
        self._buckets = _cut([parameter for parameter in reversed(parameters) if parameter.requires_grad])
        self._bucket_of = {parameter: bucket for bucket in self._buckets for parameter in bucket.parameters}
        self._overlapping = False
        self._started = 0
        for parameter in self._bucket_of:
            parameter.register_post_accumulate_grad_hook(self._computed)

    @classmethod
    def of(cls, towers: Iterable[Tower], world: World) -> Self | None:
        """What these processes need; None for a single one, and for sharded towers, whose gradients FSDP2 sums."""
        towers = list(towers)
        sharded = any(is_sharded(parameter) for tower in towers for parameter in tower.parameters())
        return None if world.size == 1 or sharded else cls(towers)

    @contextmanager
    def overlapping(self) -> Iterator[None]:
        """The step's last backward pass goes into this block: each gradient that it computes is complete."""
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

    def _computed(self, parameter: Tensor) -> None:
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
    filled = BUCKET_BYTES
    for parameter in parameters:
        if filled >= BUCKET_BYTES:
            buckets.append(_Bucket([]))
            filled = 0
        buckets[-1].parameters.append(parameter)
        filled += parameter.numel() * parameter.element_size()
    return buckets


def _or_zeros(parameter: nn.Parameter) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
