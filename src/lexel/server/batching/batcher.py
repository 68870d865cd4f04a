"""Dynamic batching: waiting inputs of all requests are merged into calls of the towers.

A batch starts when a lane is free and there is enough for a full call, or when its first input has waited long enough.
If only one client is connected, its inputs start at once. While all lanes are busy inputs gather, so that batches grow
with the load. Texts are sorted by length before they are cut into batches.
"""

import asyncio
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from lexel.batches import CALLS_WORTH, USUAL_SIZE
from lexel.encoder import Encoder
from lexel.errors import ModelError
from lexel.images import normalize
from lexel.server.batching.fair_queue import FairQueue
from lexel.server.batching.vector_cache import Kind
from lexel.server.metrics import ServerMetrics
from lexel.unit_vectors import unit

KINDS: tuple[Kind, ...] = ("text", "image")
RATE_MEMORY = 0.8  # of the share of the past in the measured pace


@dataclass(slots=True, eq=False)
class Job:
    """One input on its way: token ids, or pixels uint8 (3, H, W), and the future of its vector (D,)."""

    prepared: Sequence[int] | np.ndarray
    future: "asyncio.Future[np.ndarray]"
    request: Hashable
    since: float = field(default_factory=time.monotonic)

    @property
    def is_wanted(self) -> bool:
        return not self.future.done()


class Batcher:
    """Owns the towers' threads. All methods belong to the event loop's thread."""

    def __init__(self, encoder: Encoder, wait_seconds: float, metrics: ServerMetrics) -> None:
        self._encoder = encoder
        self._batching = encoder.runtime.batching
        self._lanes = self._free = self._batching.lanes
        self._threads = ThreadPoolExecutor(self._lanes, "tower")
        self._wait_seconds = wait_seconds
        self._metrics = metrics
        self._queues: dict[Kind, FairQueue[Job]] = {kind: FairQueue() for kind in KINDS}
        self._oldest: dict[Kind, float] = dict.fromkeys(KINDS, 0.0)  # when the first that waits came
        self._coming: dict[Kind, int] = dict.fromkeys(KINDS, 0)  # announced, and not here yet
        self._seconds_each: dict[Kind, float] = dict.fromkeys(KINDS, 0.0)  # of all lanes together
        self._has_company = False  # the last batch was for several requests
        self._timer: asyncio.TimerHandle | None = None
        size = encoder.preprocessing.image_size
        self._call_images = max(1, min(4 * self._batching.images, self._batching.images * USUAL_SIZE**2 // size**2))
        self._call_tokens = CALLS_WORTH * self._batching.overhead

    def expect(self, kind: Kind, count: int) -> None:
        """Announce inputs that are being prepared; a count below 0 takes that many announcements back."""
        self._coming[kind] += count

    def submit(self, kind: Kind, jobs: Sequence[Job]) -> None:
        """Put jobs into the line of their requests; their futures will have the vectors."""
        queue = self._queues[kind]
        if not len(queue):
            self._oldest[kind] = time.monotonic()
        for job in jobs:
            queue.put(job.request, job)
        self._coming[kind] -= len(jobs)
        self._start_what_is_due()

    def seconds_for(self, kind: Kind, count: int) -> float:
        """Estimated seconds for so many inputs of the kind, at the speed measured last; 0 before the first call."""
        return count * self._seconds_each[kind]

    def close(self) -> None:
        """End the threads; calls that have begun are finished."""
        if self._timer is not None:
            self._timer.cancel()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _start_what_is_due(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = time.monotonic()
        while self._free > 0:
            waiting: list[Kind] = [kind for kind in KINDS if len(self._queues[kind])]
            due: list[Kind] = [kind for kind in waiting if self._is_due(kind, now)]
            if not due:
                if waiting:
                    soonest = min(self._oldest[kind] for kind in waiting) + self._wait_seconds
                    self._timer = asyncio.get_running_loop().call_later(soonest - now, self._start_what_is_due)
                return
            self._start(min(due, key=lambda kind: self._oldest[kind]))

    def _is_due(self, kind: Kind, now: float) -> bool:
        is_full = len(self._queues[kind]) >= (self._call_images if kind == "image" else self._call_tokens // 8)
        is_alone = self._free == self._lanes and not self._has_company and not self._coming[kind]
        # Half a millisecond early: a timer may ring so, and would be set again and again.
        return is_full or is_alone or now - self._oldest[kind] >= self._wait_seconds - 0.0005

    def _start(self, kind: Kind) -> None:
        """Give waiting inputs to the free lanes, in batches as `Encoder` would cut them."""
        jobs = self._take(kind)
        if not jobs:
            return
        self._has_company = len({job.request for job in jobs}) > 1
        calls = self._cut(kind, jobs)
        on_all_cores = self._free == self._lanes and len(calls) < self._lanes
        for call in calls:
            lanes = self._lanes if on_all_cores else 1
            self._free -= lanes
            self._metrics.batch(kind, len(call), len({job.request for job in call}))
            begun = time.monotonic()
            work = partial(self._work, kind, [job.prepared for job in call], in_lane=self._lanes > 1 and lanes == 1)
            done = asyncio.get_running_loop().run_in_executor(self._threads, work)
            done.add_done_callback(partial(self._finish, kind, call, lanes, begun))

    def _take(self, kind: Kind) -> list[Job]:
        room = self._free * (self._call_images if kind == "image" else self._call_tokens)

        def fits(job: Job) -> bool:
            nonlocal room
            cost = 1 if kind == "image" else len(job.prepared)
            if room <= 0:
                return False
            room -= cost
            return True

        return self._queues[kind].take(fits)

    def _cut(self, kind: Kind, jobs: list[Job]) -> list[list[Job]]:
        batching = replace(self._batching, lanes=self._free)
        if kind == "image":
            sizes = batching.cut_images(len(jobs), self._encoder.preprocessing.image_size)
            rest = iter(jobs)
            return [[next(rest) for _ in range(size)] for size in sizes]
        jobs = sorted(jobs, key=lambda job: len(job.prepared))
        return [jobs[cut] for cut in batching.cut_texts([len(job.prepared) for job in jobs])]

    def _work(self, kind: Kind, prepared: Sequence[Sequence[int] | np.ndarray], *, in_lane: bool) -> np.ndarray:
        """On one of the towers' threads: unit vectors (B, D)."""
        call: Callable[[], np.ndarray] = partial(_IN_TOWER[kind], self._encoder, prepared)
        if not in_lane:
            return call()
        with self._encoder.runtime.lane():
            return call()

    def _finish(
        self, kind: Kind, jobs: list[Job], lanes: int, begun: float, done: "asyncio.Future[np.ndarray]"
    ) -> None:
        self._free += lanes
        seconds = time.monotonic() - begun
        self._metrics.tower_seconds(kind, seconds)
        each = seconds * lanes / self._lanes / len(jobs)
        known = self._seconds_each[kind]
        self._seconds_each[kind] = RATE_MEMORY * known + (1 - RATE_MEMORY) * each if known else each
        if done.cancelled():
            _fail(jobs, ModelError("The server was stopped."))
        elif (error := done.exception()) is not None:
            _fail(jobs, error)
        else:
            for job, vector in zip(jobs, done.result(), strict=True):
                if not job.future.done():
                    job.future.set_result(vector)
        self._start_what_is_due()


def _texts(encoder: Encoder, rows: Sequence[Sequence[int]]) -> np.ndarray:
    return unit(encoder.runtime.text_vectors(encoder.tokenizer.stack(list(rows))))


def _images(encoder: Encoder, pixels: Sequence[np.ndarray]) -> np.ndarray:
    return unit(encoder.runtime.image_vectors(normalize(np.stack(pixels), encoder.preprocessing)))


_IN_TOWER: dict[Kind, Callable[..., np.ndarray]] = {"text": _texts, "image": _images}


def _fail(jobs: Sequence[Job], error: BaseException) -> None:
    for job in jobs:
        if not job.future.done():
            job.future.set_exception(error)
