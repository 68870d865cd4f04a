"""Named phases of a training step, which a profile times; without a profile they cost next to nothing."""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn
from torch.profiler import record_function

from lexel.training.metering.meter import wait_for

_watching: "Stopwatch | None" = None


@contextmanager
def phase(name: str) -> Iterator[None]:
    """The block is the phase `name` of a step."""
    if _watching is None:
        yield
        return
    _watching.enter(name)
    try:
        yield
    finally:
        _watching.leave()


class Stopwatch:
    """Adds up the seconds of each phase, without those of the phases within it.

    With `waits` it synchronizes with the device at every boundary, so that a phase includes the kernels that it starts;
    without, it only puts the names into a trace.
    """

    def __init__(self, device: torch.device, *, waits: bool) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._device = device
        self._waits = waits
        self._open: list[tuple[str, record_function]] = []
        self._last = 0.0

    @contextmanager
    def watching(self, towers: Mapping[str, nn.Module]) -> Iterator[None]:
        """Within the block phases are timed; the forward pass of each of `towers` is one too."""
        global _watching
        hooks = []
        for name, tower in towers.items():
            hooks += [
                tower.register_forward_pre_hook(lambda *_, name=name: self.enter(f"{name} forward")),
                tower.register_forward_hook(lambda *_: self.leave(), always_call=True),
            ]
        _watching = self
        try:
            yield
        finally:
            _watching = None
            for hook in hooks:
                hook.remove()

    def enter(self, name: str) -> None:
        self._note()
        scope = record_function(name)
        scope.__enter__()
        self._open.append((name, scope))

    def leave(self) -> None:
        self._note()
        self._open.pop()[1].__exit__(None, None, None)

    def _note(self) -> None:
        """Give the time since the last boundary to the innermost phase."""
        if self._waits:
            wait_for(self._device)
        now = time.perf_counter()
        if self._open:
            self.seconds[self._open[-1][0]] += now - self._last
        self._last = now
