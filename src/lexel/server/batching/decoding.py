"""Decodes pictures off the event loop. They come from strangers, so their size is checked before anything else."""

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from lexel.batches import cores
from lexel.encoder import Encoder
from lexel.encoder_inputs import as_pixels
from lexel.errors import BadImageError
from lexel.images import open_header
from lexel.server.batching.fair_queue import FairQueue


@dataclass(slots=True, eq=False)
class Encoded:
    """A picture's file on its way to pixels uint8 (3, H, W)."""

    content: bytes
    future: "asyncio.Future[np.ndarray]"

    @property
    def is_wanted(self) -> bool:
        return not self.future.done()


class Decoders:
    """Threads that decode. Each holds two pictures at most, so that requests take turns here too."""

    def __init__(self, encoder: Encoder, max_pixels: int) -> None:
        self._encoder = encoder
        self._max_pixels = max_pixels
        self._threads = ThreadPoolExecutor(cores(), "decoder")
        self._free = 2 * cores()
        self._queue: FairQueue[Encoded] = FairQueue()

    def pixels(self, request: object, content: bytes) -> "asyncio.Future[np.ndarray]":
        """A future of the square that the image tower expects; it raises BadImageError for an unreadable picture."""
        future: asyncio.Future[np.ndarray] = asyncio.get_running_loop().create_future()
        self._queue.put(request, Encoded(content, future))
        self._start()
        return future

    def close(self) -> None:
        """End the threads; pictures that they have begun are finished."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _start(self) -> None:
        while self._free and (taken := self._queue.take(_one())):
            [picture] = taken
            self._free -= 1
            done = asyncio.get_running_loop().run_in_executor(self._threads, self._decode, picture.content)
            done.add_done_callback(lambda done, picture=picture: self._finish(picture, done))

    def _decode(self, content: bytes) -> np.ndarray:
        check_pixels(content, self._max_pixels)
        return as_pixels(content, self._encoder.preprocessing, exact=self._encoder.exact)

    def _finish(self, picture: Encoded, done: "asyncio.Future[np.ndarray]") -> None:
        self._free += 1
        if not picture.future.done():
            if done.cancelled():
                picture.future.cancel()
            elif (error := done.exception()) is not None:
                picture.future.set_exception(error)
            else:
                picture.future.set_result(done.result())
        self._start()


def check_pixels(content: bytes, max_pixels: int) -> None:
    """Raise BadImageError if the header announces too many pixels; decoding finds other damage."""
    try:
        with open_header(io.BytesIO(content)) as image:
            width, height = image.size
    except Exception:  # any: see `images`; the decoder names the reason
        return
    if width * height > max_pixels:
        raise BadImageError(f"{width:,} × {height:,} pixels are over the limit of {max_pixels:,}")


def _one():
    """Accepts a first entry and no second."""
    taken = 0

    def fits(_: Encoded) -> bool:
        nonlocal taken
        taken += 1
        return taken == 1

    return fits
