"""Texts and pictures in, vectors out, for many requests at once.

Recent inputs come from the cache; an input that is being computed for another request is computed once; the rest is
admitted if the queue has room. When a client leaves, inputs that no other request needs are taken out of the queue.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil

import numpy as np

from lexel.encoder import Encoder
from lexel.errors import BadImageError, LexelError
from lexel.evaluation.matching import generic_texts
from lexel.server.batching.batcher import KINDS, Batcher, Job
from lexel.server.batching.decoding import Decoders
from lexel.server.batching.vector_cache import Kind, VectorCache, content_key
from lexel.server.metrics import ServerMetrics
from lexel.server.settings import ServerSettings
from lexel.tokenizer.absent import AbsentTokenizer
from lexel.unit_vectors import check_finite

CHUNK = 1024  # inputs of one request that are admitted at once, at most
INLINE_CHARACTERS = 4096  # of texts that are tokenized on the event loop; more go to a thread
WARM_TEXT = "a photo"


class QueueFullError(LexelError):
    """The queue has no room for more inputs; `retry_after` is the number of seconds after which there may be some."""

    def __init__(self, kind: Kind, retry_after: int) -> None:
        super().__init__(f"Too many {kind}s are waiting. Try again in {retry_after} s.")
        self.retry_after = retry_after


@dataclass(slots=True, eq=False)
class Flight:
    """An input that is being computed, and how many wait for it."""

    key: bytes
    kind: Kind
    future: "asyncio.Future[np.ndarray]"
    waiters: int = 0


class Embedder:
    """Embeds for the routes. All methods belong to the event loop's thread."""

    def __init__(self, encoder: Encoder, settings: ServerSettings, metrics: ServerMetrics) -> None:
        self.encoder = encoder
        self._metrics = metrics
        self._max_waiting: dict[Kind, int] = {
            "text": settings.max_waiting_texts,
            "image": settings.max_waiting_images,
        }
        self._waiting: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        self._flights: dict[bytes, Flight] = {}
        self._cache = VectorCache(settings.cache_bytes)
        self._decoders = Decoders(encoder, settings.max_pixels)
        self._batcher = Batcher(encoder, settings.batch_wait_ms / 1000, metrics)

    async def texts(self, texts: Sequence[str]) -> np.ndarray:
        """(N, D) unit vectors of the texts. Raises QueueFullError."""
        return await self._embed("text", texts)

    async def images(self, images: Sequence[bytes]) -> np.ndarray:
        """(N, D) unit vectors of pictures as they are in files. Raises BadImageError, which names its place."""
        return await self._embed("image", images)

    async def both(self, texts: Sequence[str], images: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        """The vectors of texts and of pictures, at the same time; where one fails, the other is given up."""
        tasks = [asyncio.ensure_future(self.texts(texts)), asyncio.ensure_future(self.images(images))]
        try:
            of_texts, of_images = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        return of_texts, of_images

    async def warm_up(self) -> None:
        """Open both towers, so that the first client does not wait for that."""
        await asyncio.get_running_loop().run_in_executor(None, self._warm_up)

    def _warm_up(self) -> None:
        encoder = self.encoder
        _ = encoder.dimensions
        lane = np.zeros((1, 3, encoder.preprocessing.image_size, encoder.preprocessing.image_size), np.float32)
        can_read = not isinstance(encoder.tokenizer, AbsentTokenizer)
        if can_read:
            encoder.embed_texts([WARM_TEXT])
            if encoder.calibration is None:
                generic_texts(encoder)  # now: routes ask for a match on the event loop
        if encoder.runtime.batching.lanes > 1:
            with encoder.runtime.lane():
                encoder.runtime.image_vectors(lane)
                if can_read:
                    encoder.runtime.text_vectors(encoder.tokenize([WARM_TEXT]))

    def close(self) -> None:
        self._decoders.close()
        self._batcher.close()

    async def _embed(self, kind: Kind, inputs: Sequence[str] | Sequence[bytes]) -> np.ndarray:
        if not len(inputs):
            return np.zeros((0, self.encoder.dimensions), np.float32)
        chunks = [inputs[start : start + CHUNK] for start in range(0, len(inputs), CHUNK)]
        request = object()
        return np.concatenate([await self._embed_chunk(kind, chunk, request) for chunk in chunks])

    async def _embed_chunk(self, kind: Kind, inputs: Sequence[str] | Sequence[bytes], request: object) -> np.ndarray:
        keys = [content_key(kind, content) for content in inputs]
        vectors: dict[bytes, np.ndarray] = {}
        joined: dict[bytes, Flight] = {}
        fresh: dict[bytes, str | bytes] = {}
        for key, content in zip(keys, inputs, strict=True):
            if (vector := self._cache.get(key)) is not None:
                vectors[key] = vector
            elif (flight := self._flights.get(key)) is not None and not flight.future.cancelled():
                joined[key] = flight
            else:
                fresh[key] = content
        self._metrics.inputs(kind, "cache", len(vectors))
        self._metrics.inputs(kind, "in_flight", len(joined))
        self._metrics.inputs(kind, "computed", len(fresh))
        joined |= self._launch(kind, fresh, request)
        for flight in joined.values():
            flight.waiters += 1
        key = b""
        try:
            for key, flight in joined.items():
                vectors[key] = flight.future.result() if flight.future.done() else await asyncio.shield(flight.future)
        except BadImageError as error:
            raise BadImageError(f"Image {keys.index(key) + 1} cannot be read: {error}") from None
        finally:
            for flight in joined.values():
                self._leave(flight)
        stacked = np.stack([vectors[key] for key in keys])
        check_finite(stacked, [f"{kind} {place + 1}" for place in range(len(keys))], self.encoder.name)
        return stacked

    def _launch(self, kind: Kind, fresh: dict[bytes, str | bytes], request: object) -> dict[bytes, Flight]:
        """Admit inputs that are neither cached nor waiting. Raises QueueFullError, and then none is admitted."""
        if not fresh:
            return {}
        if self._waiting[kind] + len(fresh) > self._max_waiting[kind]:
            self._metrics.refused("queue_full")
            raise QueueFullError(kind, max(1, ceil(self._batcher.seconds_for(kind, self._waiting[kind]))))
        loop = asyncio.get_running_loop()
        flights = {key: Flight(key, kind, loop.create_future()) for key in fresh}
        self._flights |= flights
        self._count(kind, len(flights))
        for flight in flights.values():
            flight.future.add_done_callback(partial(self._land, flight))
        self._batcher.expect(kind, len(flights))
        if kind == "image":
            for key, flight in flights.items():
                pixels = self._decoders.pixels(request, _as_bytes(fresh[key]))
                flight.future.add_done_callback(lambda _, pixels=pixels: pixels.cancel())
                pixels.add_done_callback(partial(self._decoded, flight, request))
        else:
            self._tokenize(list(flights.values()), [str(text) for text in fresh.values()], request)
        return flights

    def _tokenize(self, flights: list[Flight], texts: list[str], request: object) -> None:
        loop, encode = asyncio.get_running_loop(), self.encoder.tokenizer.encode
        if sum(map(len, texts)) > INLINE_CHARACTERS:
            rows = loop.run_in_executor(None, encode, texts)
        else:
            rows = loop.create_future()
            try:
                rows.set_result(encode(texts))
            except LexelError as error:  # a model without its tokenizer
                rows.set_exception(error)
        if rows.done():
            self._tokenized(flights, request, rows)
        else:
            rows.add_done_callback(partial(self._tokenized, flights, request))

    def _tokenized(self, flights: list[Flight], request: object, rows: "asyncio.Future[list[list[int]]]") -> None:
        if (error := rows.exception()) is None:
            jobs = [Job(row, flight.future, request) for row, flight in zip(rows.result(), flights, strict=True)]
            self._batcher.submit("text", jobs)
            return
        self._batcher.expect("text", -len(flights))
        for flight in flights:
            if not flight.future.done():
                flight.future.set_exception(error)

    def _decoded(self, flight: Flight, request: object, pixels: "asyncio.Future[np.ndarray]") -> None:
        error = None if pixels.cancelled() else pixels.exception()
        if not flight.future.done() and not pixels.cancelled() and error is None:
            self._batcher.submit("image", [Job(pixels.result(), flight.future, request)])
            return
        self._batcher.expect("image", -1)
        if error is not None and not flight.future.done():
            flight.future.set_exception(error)

    def _land(self, flight: Flight, done: "asyncio.Future[np.ndarray]") -> None:
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]
        self._count(flight.kind, -1)
        if not done.cancelled() and done.exception() is None:
            self._cache.put(flight.key, done.result())

    def _leave(self, flight: Flight) -> None:
        """One request has its vector or was cancelled; an input that no request waits for is dropped."""
        flight.waiters -= 1
        if not flight.waiters and not flight.future.done():
            flight.future.cancel()

    def _count(self, kind: Kind, more: int) -> None:
        self._waiting[kind] += more
        self._metrics.waiting(kind, self._waiting[kind])


def _as_bytes(content: str | bytes) -> bytes:
    assert isinstance(content, bytes)
    return content
