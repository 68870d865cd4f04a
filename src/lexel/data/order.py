"""The order of samples: a pure function of the seed and the position in the run.

The run is one long sequence of samples. Epochs divide it, and so do batches, which may straddle epochs: no sample is
dropped, and step k holds positions k·B to (k+1)·B whatever came before. In each epoch source i contributes
`weight_i` times its pairs: whole passes, then a random part of one more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lexel.batches import ceil_div


@dataclass(frozen=True, slots=True)
class Sample:
    """One appearance of a pair: the `visit`-th of pair `index` of source `source` in `epoch`."""

    epoch: int
    source: int
    index: int
    visit: int


@dataclass(frozen=True, slots=True)
class Share:
    """The part of one process (`rank`) among `size` processes that divide some work."""

    rank: int = 0
    size: int = 1

    def of(self, count: int) -> range:
        """Its places among 0..count − 1: consecutive, in the order of ranks, and nearly the same number for each."""
        return range(count * self.rank // self.size, count * (self.rank + 1) // self.size)


ALONE = Share()


class Order:
    """The order of samples for sources of these sizes and weights."""

    def __init__(self, sizes: Sequence[int], weights: Sequence[float], seed: int) -> None:
        self.sizes = tuple(sizes)
        self.weights = tuple(weights)
        self.seed = seed
        self._counts = [max(1, round(size * weight)) for size, weight in zip(sizes, weights, strict=True)]
        self.epoch_size = sum(self._counts)
        self._drawn: dict[int, np.ndarray] = {}

    def batch(self, step: int, batch_size: int, share: Share = ALONE) -> list[Sample]:
        """This share's samples of step `step`, counted from 0."""
        return [self.at(step * batch_size + place) for place in share.of(batch_size)]

    def at(self, position: int) -> Sample:
        """The sample at a position of the run, counted from 0."""
        epoch, offset = divmod(position, self.epoch_size)
        source, index, visit = self._epoch(epoch)[offset]
        return Sample(epoch, int(source), int(index), int(visit))

    def shown_before(self, position: int) -> list[np.ndarray]:
        """Which pairs come at least once before a position of the run: for each source (N,) bool."""
        shown = [np.zeros(size, bool) for size in self.sizes]
        for epoch in range(ceil_div(position, self.epoch_size)):
            rows = self._epoch(epoch)[: position - epoch * self.epoch_size]
            for source, of_source in enumerate(shown):
                of_source[rows[rows[:, 0] == source, 1]] = True
            if all(of_source.all() for of_source in shown):
                break
        return shown

    def _epoch(self, epoch: int) -> np.ndarray:
        """(epoch_size, 3) int64: source, index, visit."""
        if epoch not in self._drawn:
            if len(self._drawn) == 2:  # a batch straddles two epochs at most unless it is larger than one
                self._drawn.pop(min(self._drawn))
            self._drawn[epoch] = self._draw_epoch(epoch)
        return self._drawn[epoch]

    def _draw_epoch(self, epoch: int) -> np.ndarray:
        random = np.random.Generator(np.random.PCG64([self.seed, epoch]))
        parts = []
        for source, (size, count) in enumerate(zip(self.sizes, self._counts, strict=True)):
            passes = ceil_div(count, size)
            indices = np.concatenate([random.permutation(size) for _ in range(passes)])[:count]
            visits = np.repeat(np.arange(passes), size)[:count]
            parts.append(np.stack([np.full(count, source), indices, visits], axis=1))
        return random.permutation(np.concatenate(parts))
