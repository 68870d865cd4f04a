"""Requests are merged, take turns, are computed once and not for nobody; what comes back is what the towers give."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving import png

from lexel.batches import Batching
from lexel.calibration import Calibration
from lexel.encoder import Encoder
from lexel.errors import BadImageError, ModelError
from lexel.images import Preprocessing
from lexel.server.batching.embedder import Embedder, QueueFullError
from lexel.server.batching.fair_queue import FairQueue
from lexel.server.batching.vector_cache import ENTRY_OVERHEAD, VectorCache, content_key
from lexel.server.metrics import ServerMetrics
from lexel.server.settings import ServerSettings

SIZE = 4  # pixels, and numbers in a vector


class Words:
    """A tokenizer whose ids are lengths of words."""

    context_length = 64
    fill_id = 0

    def encode(self, texts):
        return [[len(word) for word in text.split()] or [1] for text in texts]

    def stack(self, rows):
        longest = max(map(len, rows))
        return np.array([[*row, *[0] * (longest - len(row))] for row in rows])


class GatedRuntime:
    """Towers that write down their calls and, while the gate is closed, wait."""

    number_format = "float32"
    logit_scale = 1.0
    logit_bias = None

    def __init__(self, lanes: int = 1) -> None:
        self.batching = Batching(lanes=lanes)
        self.calls: list[np.ndarray] = []
        self.gate = threading.Event()
        self.gate.set()

    def lane(self):
        return threading.Lock()

    def text_vectors(self, ids):
        assert self.gate.wait(20)
        self.calls.append(ids)
        if (ids == 13).any():
            raise ModelError("the tower fell")
        totals = ids.sum(axis=1)
        return np.stack([totals, totals % 7 + 1, np.ones(len(ids)), np.ones(len(ids))], axis=1).astype(np.float32)

    def image_vectors(self, pixels):
        assert self.gate.wait(20)
        self.calls.append(pixels)
        return pixels.mean(axis=(2, 3)) + 1


def make_embedder(runtime: GatedRuntime, **changes) -> Embedder:
    encoder = Encoder(
        runtime, Words(), Preprocessing(image_size=SIZE), name="gated", fingerprint="0", calibration=CALIBRATION
    )  # pyright: ignore[reportArgumentType]
    return Embedder(encoder, ServerSettings(**changes), ServerMetrics())


CALIBRATION = Calibration(slope=1, intercept=0, pairs=1, expected_calibration_error=0, source="none")


def run(work: Callable[[Embedder], Awaitable[None]], runtime: GatedRuntime, **changes) -> None:
    """Do the work with an embedder on an event loop."""

    async def whole() -> None:
        embedder = make_embedder(runtime, **changes)
        try:
            async with asyncio.timeout(20):
                await work(embedder)
        finally:
            runtime.gate.set()
            embedder.close()

    asyncio.run(whole())


async def settle() -> None:
    """Let everything that can go on go on."""
    for _ in range(20):
        await asyncio.sleep(0.005)


def expected(texts: list[str]) -> np.ndarray:
    totals = np.array([sum(map(len, text.split())) for text in texts], np.float64)
    raw = np.stack([totals, totals % 7 + 1, np.ones(len(texts)), np.ones(len(texts))], axis=1)
    return raw / np.linalg.norm(raw, axis=1, keepdims=True)


@pytest.mark.parametrize("lanes", [1, 3])
def test_each_request_gets_its_own_vectors_in_its_own_order(lanes):
    requests = [[f"{'w' * (1 + i * j % 9)} {'x ' * (j % 5)}y" for j in range(1 + i)] for i in range(12)]

    async def work(embedder):
        answers = await asyncio.gather(*(embedder.texts(texts) for texts in requests))
        for texts, answer in zip(requests, answers, strict=True):
            np.testing.assert_allclose(answer, expected(texts), atol=1e-6)

    run(work, GatedRuntime(lanes))


def test_what_waits_while_the_tower_is_busy_goes_in_few_calls_sorted_by_length():
    runtime = GatedRuntime()

    async def work(embedder):
        runtime.gate.clear()
        first = asyncio.ensure_future(embedder.texts(["start"]))
        await settle()
        texts = [f"text{n} " * (1 + n % 8) for n in range(40)]
        rest = [asyncio.ensure_future(embedder.texts([text])) for text in texts]
        await settle()
        runtime.gate.set()
        await asyncio.gather(first, *rest)

    run(work, runtime)
    assert len(runtime.calls) <= 5
    assert sum(map(len, runtime.calls)) == 41
    for call in runtime.calls[1:]:
        lengths = (call > 0).sum(axis=1)
        assert np.all(np.diff(lengths) >= 0)


def test_a_single_input_is_not_held_up_by_a_request_of_thousands():
    runtime = GatedRuntime()

    async def work(embedder):
        runtime.gate.clear()
        large = asyncio.ensure_future(embedder.texts([f"{'word ' * 30}{'w' * n}" for n in range(14, 900)]))
        await settle()
        small = asyncio.ensure_future(embedder.texts(["hello"]))
        await settle()
        runtime.gate.set()
        await small
        assert not large.done()
        await large

    run(work, runtime)


def test_equal_inputs_in_flight_are_computed_once_and_then_remembered():
    runtime = GatedRuntime()

    async def work(embedder):
        runtime.gate.clear()
        twins = [asyncio.ensure_future(embedder.texts(["same", "same"])) for _ in range(5)]
        await settle()
        runtime.gate.set()
        answers = await asyncio.gather(*twins)
        again = await embedder.texts(["same"])
        for answer in answers:
            np.testing.assert_array_equal(answer, np.repeat(again, 2, axis=0))

    run(work, runtime)
    assert [len(call) for call in runtime.calls] == [1]


def test_what_everybody_has_left_is_not_computed_and_what_one_waits_for_is():
    runtime = GatedRuntime()

    async def work(embedder):
        runtime.gate.clear()
        first = asyncio.ensure_future(embedder.texts(["start"]))
        await settle()
        gone = asyncio.ensure_future(embedder.texts(["nobody wants this", "shared"]))
        stays = asyncio.ensure_future(embedder.texts(["shared"]))
        await settle()
        gone.cancel()
        await settle()
        runtime.gate.set()
        await first
        np.testing.assert_allclose(await stays, expected(["shared"]), atol=1e-6)
        await embedder.texts(["nobody wants this"])  # whoever asks again gets it

    run(work, runtime)
    rows = [row[row > 0].tolist() for call in runtime.calls for row in call]
    assert rows == [[5], [6], [6, 5, 4]]


def test_a_full_queue_refuses_at_once_and_takes_again_when_there_is_room():
    runtime = GatedRuntime()

    async def work(embedder):
        runtime.gate.clear()
        waiting = asyncio.ensure_future(embedder.texts([f"t{'t' * n}" for n in range(10)]))
        await settle()
        with pytest.raises(QueueFullError) as refused:
            await embedder.texts(["one", "more of them"])
        assert refused.value.retry_after >= 1
        runtime.gate.set()
        await waiting
        await settle()
        await embedder.texts(["one", "more of them"])

    run(work, runtime, max_waiting_texts=11)


def test_a_tower_that_fails_fails_its_own_batch_only():
    async def work(embedder):
        with pytest.raises(ModelError, match="the tower fell"):
            await embedder.texts(["thirteenchars"])
        np.testing.assert_allclose(await embedder.texts(["fine"]), expected(["fine"]), atol=1e-6)

    run(work, GatedRuntime())


def test_an_unreadable_picture_fails_alone_and_is_not_remembered():
    async def work(embedder):
        for _ in range(2):
            with pytest.raises(BadImageError, match="Image 2 cannot be read"):
                await embedder.images([png("red"), b"no picture"])
        assert (await embedder.images([png("red")])).shape == (1, 3)

    run(work, GatedRuntime())


def test_a_picture_of_too_many_pixels_is_not_decoded():
    async def work(embedder):
        with pytest.raises(BadImageError, match="over the limit of 5,000"):
            await embedder.images([png("red", (100, 51))])

    run(work, GatedRuntime(), max_pixels=5000)


class Wanted:
    def __init__(self, request: int, number: int, is_wanted: bool) -> None:
        self.request, self.number, self.is_wanted = request, number, is_wanted


@settings(max_examples=50, deadline=None)
@given(
    entries=st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=60),
    sizes=st.lists(st.integers(1, 10), min_size=1, max_size=20),
)
def test_a_fair_queue_loses_nothing_keeps_order_and_takes_turns(entries, sizes):
    queue: FairQueue[Wanted] = FairQueue()
    put = [Wanted(request, number, wanted) for number, (request, wanted) in enumerate(entries)]
    for entry in put:
        queue.put(entry.request, entry)
    taken: list[Wanted] = []
    for size in [*sizes, 1000]:
        room = iter(range(size))
        batch = queue.take(lambda _, room=room: next(room, None) is not None)
        assert len(batch) <= size
        counts = {entry.request: sum(e.request == entry.request for e in batch) for entry in batch}
        waiting = {entry for entry in put if entry.is_wanted} - set(taken) - set(batch)
        left = {entry.request for entry in waiting}
        for request in left:  # who still waits had at least as many turns as anybody, but for one
            assert counts.get(request, 0) >= max(counts.values(), default=0) - 1
        taken += batch
    assert len(queue) == 0
    assert {entry.number for entry in taken} == {entry.number for entry in put if entry.is_wanted}
    for request in range(5):
        own = [entry.number for entry in taken if entry.request == request]
        assert own == sorted(own)


@settings(max_examples=50, deadline=None)
@given(keys=st.lists(st.integers(0, 12), max_size=80), room=st.integers(0, 6))
def test_the_cache_forgets_what_was_not_asked_for_longest(keys, room):
    vector = np.zeros(8, np.float32)
    cache = VectorCache(room * (vector.nbytes + ENTRY_OVERHEAD))
    known: list[int] = []  # the last asked for at the end
    for key in keys:
        found = cache.get(bytes([key])) is not None
        assert found == (key in known)
        if found:
            known.remove(key)
        cache.put(bytes([key]), vector)
        known = [*known, key][-room:] if room else []
        assert len(cache) == len(known)
        assert cache.bytes <= cache.max_bytes


def test_a_text_and_a_picture_of_the_same_bytes_are_not_the_same():
    assert content_key("text", "a") != content_key("image", b"a")
    assert content_key("text", "a") == content_key("text", "a")
