"""The Encoder that a library is searched with: its inputs go through the server's cache and batches."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

import numpy as np

from lexel.encoder import Encoder
from lexel.encoder_inputs import ImageLike
from lexel.server.batching.embedder import Embedder


class ServedEncoder(Encoder):
    """An Encoder for threads other than the event loop's, while that runs. Only pictures that are bytes are batched."""

    def __init__(self, embedder: Embedder, loop: asyncio.AbstractEventLoop) -> None:
        given = embedder.encoder
        super().__init__(
            given.runtime,
            given.tokenizer,
            given.preprocessing,
            name=given.name,
            fingerprint=given.fingerprint,
            calibration=given.calibration,
            exact=given.exact,
        )
        self.source = given.source
        self._embedder = embedder
        self._loop = loop

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        return self._wait_for(self._embedder.texts(list(texts)))

    def embed_images(self, images: Iterable[ImageLike]) -> np.ndarray:
        listed = list(images)
        contents = [image for image in listed if isinstance(image, bytes)]
        if len(contents) < len(listed):
            return super().embed_images(listed)
        return self._wait_for(self._embedder.images(contents))

    def _wait_for(self, work: Coroutine[Any, Any, np.ndarray]) -> np.ndarray:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
