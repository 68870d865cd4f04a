"""Cutting work into calls of the towers, and keeping every core busy with them.

On a CPU, calls side by side that keep to one core each beat one call on all cores: no core waits for the slowest
after every layer, which on a busy machine is most of the time (docs/experiments.md).
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

USUAL_SIZE = 224  # pixels, square
CALLS_WORTH = 32  # times a call's overhead, at most, in one call: more gains nothing and takes memory
LEAST_IMAGES = 4  # in each lane's call; fewer go in one call on all cores


@dataclass(frozen=True)
class Batching:
    """How a runtime wants its work cut."""

    lanes: int = 1  # calls that it serves best at once, one core each; 1 where one call uses the whole device
    images: int = 16  # of 224 pixels, in a call
    overhead: int = 48  # what a call costs besides its tokens, in tokens

    def cut_images(self, count: int, image_size: int) -> list[int]:
        """Sizes of the batches for this many images: nearly equal, and as many for each lane."""
        most = max(1, min(4 * self.images, self.images * USUAL_SIZE**2 // image_size**2))
        lanes = self.lanes if count >= LEAST_IMAGES * self.lanes else 1
        batches = min(count, ceil_div(count, most * lanes) * lanes)
        return [count // batches + (number < count % batches) for number in range(batches)]

    def cut_texts(self, lengths: Sequence[int]) -> list[slice]:
        """Cut texts that are sorted by length into batches, the costliest first.

        The cut of least total cost (`cut_by_cost`) comes first; then batches that are too large, or too few for the
        lanes, are divided.
        """
        most = CALLS_WORTH * self.overhead
        for_each_lane = sum(lengths) // (2 * self.lanes)  # in two calls, the smaller one last: lanes end together
        if self.lanes > 1 and for_each_lane >= self.overhead:
            most = min(most, max(2 * self.overhead, for_each_lane))
        batches: list[slice] = []
        for cut in reversed(cut_by_cost(lengths, self.overhead)):
            tokens = (cut.stop - cut.start) * lengths[cut.stop - 1]
            batches += _divided(cut.start, cut.stop, pieces=ceil_div(tokens, most))
        return sorted(batches, key=lambda batch: (batch.start - batch.stop) * lengths[batch.stop - 1])


def cut_by_cost(lengths: Sequence[int], overhead: int, ends: Sequence[int] | None = None) -> list[slice]:
    """Cut rows that are sorted by length into parts of least total cost.

    A part costs its rows times its longest row, and the overhead. `ends` are where parts may end, the last being
    `len(lengths)`; None: wherever the next row is longer. By dynamic programming over the ends.
    """
    if ends is None:
        ends = [end for end in range(1, len(lengths) + 1) if end == len(lengths) or lengths[end] > lengths[end - 1]]
    cheapest: dict[int, tuple[int, int]] = {0: (0, 0)}  # rows cut so far → cost, where the last part starts
    for end in ends:
        cheapest[end] = min(
            (cost + (end - start) * lengths[end - 1] + overhead, start) for start, (cost, _) in cheapest.items()
        )
    parts: list[slice] = []
    end = len(lengths)
    while end:
        start = cheapest[end][1]
        parts.append(slice(start, end))
        end = start
    return parts[::-1]


def _divided(start: int, end: int, pieces: int) -> list[slice]:
    """Nearly equal pieces of the rows from start to end, none of them empty."""
    pieces = min(pieces, end - start)
    bounds = [start + (end - start) * number // pieces for number in range(pieces + 1)]
    return [slice(a, b) for a, b in pairwise(bounds)]


def spread(work: Callable[[Item], Result], batches: Iterable[Item], lanes: int) -> Iterator[Result]:
    """The work on each batch, in order; done side by side by this many threads, or in turn by this one."""
    if lanes == 1:
        yield from map(work, batches)
        return
    with ThreadPoolExecutor(lanes) as pool:
        for done in ahead(pool, work, batches, lanes + 1):
            yield done.result()


def ahead(
    pool: Executor, work: Callable[[Item], Result], items: Iterable[Item], count: int
) -> Iterator[Future[Result]]:
    """Let the pool work through the items, at most `count` of them begun and not yet asked for; results in order."""
    items = iter(items)
    begun = deque(pool.submit(work, item) for item in islice(items, count))
    while begun:
        yield begun.popleft()
        begun.extend(pool.submit(work, item) for item in islice(items, 1))


def ceil_div(total: int, size: int) -> int:
    """How many parts of at most `size` hold `total`: the quotient rounded up. total ≥ 0, size ≥ 1."""
    return -(-total // size)


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
