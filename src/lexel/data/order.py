"""The order of samples: a pure function of the seed and the position in the run.

The run is one long sequence of samples. Epochs divide it, and so do batches, which may straddle epochs: no sample is
dropped, and step k holds positions k·B to (k+1)·B whatever came before. In each epoch source i contributes
`weight_i` times its pairs: whole passes, then a random part of one more.

Without shards an epoch is one permutation. With shards it reads the disk nearly in order: the shards are permuted, the
samples come shard after shard, and each window of 65,536 of them is permuted. Window w of W takes from source i its
samples ⌊w·n/W⌋ to ⌊(w+1)·n/W⌋, so sources are mixed evenly, and no more than a window is held in memory for a source of
shards. Any position is found without those before it.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lexel.batches import ceil_div

WINDOW = 65_536  # samples
WINDOWS_KEPT = 2  # a batch straddles two at most unless it is larger than one


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
    """The order of samples for sources of these sizes and weights.

    `shard_ends` has for each source the row after the last of each of its shards, or None where it has no shards.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        weights: Sequence[float],
        seed: int,
        shard_ends: Sequence[np.ndarray | None] = (),
        window: int = WINDOW,
    ) -> None:
        self.sizes = tuple(sizes)
        self.weights = tuple(weights)
        self.seed = seed
        self.shard_ends = tuple(shard_ends) or (None,) * len(self.sizes)
        self._counts = [max(1, round(size * weight)) for size, weight in zip(sizes, weights, strict=True)]
        self.epoch_size = sum(self._counts)
        self._window_size = window
        self._has_shards = any(ends is not None for ends in self.shard_ends)
        self._windows = ceil_div(self.epoch_size, window) if self._has_shards else 1
        self._drawn: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()
        self._passes: OrderedDict[tuple[int, int, int], _Pass] = OrderedDict()

    def batch(self, step: int, batch_size: int, share: Share = ALONE) -> list[Sample]:
        """This share's samples of step `step`, counted from 0."""
        return [self.at(step * batch_size + place) for place in share.of(batch_size)]

    def at(self, position: int) -> Sample:
        """The sample at a position of the run, counted from 0."""
        epoch, offset = divmod(position, self.epoch_size)
        window = self._window_of(offset)
        source, index, visit = self._window(epoch, window)[offset - self._start(window)]
        return Sample(epoch, int(source), int(index), int(visit))

    def shown_before(self, position: int) -> list[np.ndarray]:
        """Which pairs come at least once before a position of the run: for each source (N,) bool."""
        shown = [np.zeros(size, bool) for size in self.sizes]
        for epoch in range(ceil_div(position, self.epoch_size)):
            for window in range(self._windows):
                left = position - epoch * self.epoch_size - self._start(window)
                if left <= 0:
                    break
                rows = self._window(epoch, window)[:left]
                for source, of_source in enumerate(shown):
                    of_source[rows[rows[:, 0] == source, 1]] = True
            if all(of_source.all() for of_source in shown):
                break
        return shown

    def _start(self, window: int) -> int:
        """The offset in an epoch at which a window begins."""
        return sum(count * window // self._windows for count in self._counts)

    def _window_of(self, offset: int) -> int:
        window = offset * self._windows // self.epoch_size  # right but for the rounding of each source's share
        while self._start(window) > offset:
            window -= 1
        while self._start(window + 1) <= offset:
            window += 1
        return window

    def _window(self, epoch: int, window: int) -> np.ndarray:
        """(samples of the window, 3) int64: source, index, visit."""
        key = (epoch, window)
        if key not in self._drawn:
            self._drawn[key] = self._draw(*key) if self._has_shards else self._draw_epoch(epoch)
            if len(self._drawn) > WINDOWS_KEPT:
                self._drawn.popitem(last=False)
        return self._drawn[key]

    def _draw_epoch(self, epoch: int) -> np.ndarray:
        random = np.random.Generator(np.random.PCG64([self.seed, epoch]))
        parts = []
        for source, (size, count) in enumerate(zip(self.sizes, self._counts, strict=True)):
            passes = ceil_div(count, size)
            indices = np.concatenate([random.permutation(size) for _ in range(passes)])[:count]
            visits = np.repeat(np.arange(passes), size)[:count]
            parts.append(np.stack([np.full(count, source), indices, visits], axis=1))
        return random.permutation(np.concatenate(parts))

    def _draw(self, epoch: int, window: int) -> np.ndarray:
        parts = [np.empty((0, 3), np.int64)]
        for source, (size, count) in enumerate(zip(self.sizes, self._counts, strict=True)):
            places = np.arange(count * window // self._windows, count * (window + 1) // self._windows)
            for visit in range(int(places[0]) // size, int(places[-1]) // size + 1) if len(places) else ():
                within = places[places // size == visit] - visit * size
                rows = self._pass(epoch, source, visit).rows(within)
                parts.append(np.stack([np.full(len(rows), source), rows, np.full(len(rows), visit)], axis=1))
        random = np.random.Generator(np.random.PCG64([self.seed, epoch, window, 1]))
        return random.permutation(np.concatenate(parts))

    def _pass(self, epoch: int, source: int, visit: int) -> "_Pass":
        key = (epoch, source, visit)
        if key not in self._passes:
            random = np.random.Generator(np.random.PCG64([self.seed, epoch, source, visit, 2]))
            self._passes[key] = _Pass(self.sizes[source], self.shard_ends[source], random)
            if len(self._passes) > WINDOWS_KEPT * len(self.sizes):
                self._passes.popitem(last=False)
        return self._passes[key]


class _Pass:
    """One pass over a source: shard after shard in a random order, or row after row where it has no shards."""

    def __init__(self, size: int, shard_ends: np.ndarray | None, random: np.random.Generator) -> None:
        # A row without shards is a shard of its own.
        self._ends = np.arange(1, size + 1) if shard_ends is None else shard_ends
        self._shards = random.permutation(len(self._ends))
        self._starts_here = np.concatenate([[0], np.cumsum(np.diff(self._ends, prepend=0)[self._shards])])

    def rows(self, places: np.ndarray) -> np.ndarray:
        """The rows that come at these places of the pass."""
        numbers = np.searchsorted(self._starts_here, places, side="right") - 1
        shards = self._shards[numbers]
        starts = np.concatenate([[0], self._ends])[shards]
        return starts + places - self._starts_here[numbers]
