"""What is served: one model, and perhaps the library that it belongs to."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from lexel.encoder import Encoder
from lexel.errors import UsageError
from lexel.library.cluster.collection import is_cluster
from lexel.library.library import Library
from lexel.library.store.database.schema import DATABASE
from lexel.loading import ModelChoice
from lexel.progress import silence
from lexel.server.batching.embedder import Embedder
from lexel.server.batching.served_encoder import ServedEncoder
from lexel.server.metrics import ServerMetrics
from lexel.server.settings import ServerSettings

if TYPE_CHECKING:
    from lexel.library.index.vectors import Vectors

Result = TypeVar("Result")
LIBRARY_THREADS = 8  # searches and other looks at the records that may go on at once


class ServedLibrary(Library):
    """A Library that many threads search; its vectors are read again by one of them only."""

    def __init__(self, *given) -> None:
        super().__init__(*given)
        self._reading = Lock()

    @property
    def vectors(self) -> "Vectors":
        with self._reading:
            return super().vectors


class Service:
    """The parts that the routes use. Make it with `Service.open`; `start` and `close` it on the event loop."""

    def __init__(
        self, encoder: Encoder, library_path: Path | None = None, settings: ServerSettings | None = None
    ) -> None:
        self.settings = settings or ServerSettings()
        self.encoder = encoder
        self.metrics = ServerMetrics()
        self.embedder = Embedder(encoder, self.settings, self.metrics)
        self.is_ready = False
        self.is_draining = False
        self._library_path = library_path
        self._library: ServedLibrary | None = None
        self._threads = ThreadPoolExecutor(LIBRARY_THREADS, "library")
        self._writing = asyncio.Lock()

    @classmethod
    def open(
        cls, target: str | Path, settings: ServerSettings | None = None, model: ModelChoice | None = None
    ) -> "Service":
        """Load a model, or a library with its model; `model` is another place of a library's. Raises LexelError."""
        if is_cluster(str(target)):
            raise UsageError(f"{target} is on a cluster. Serve a model, or a library in a folder.")
        path = Path(target).expanduser()
        if (path / DATABASE).exists():
            with Library.open(path, model) as library:
                return cls(library.encoder, path.absolute(), settings)
        if model is not None and model.model != str(target):
            raise UsageError(f"--model is for a library, and {target} is not one.")
        choice = model or ModelChoice(str(target), None, None)
        return cls(choice.load(), None, settings)

    @property
    def library(self) -> ServedLibrary | None:
        """The library, where one is served."""
        return self._library

    @property
    def has_library(self) -> bool:
        return self._library_path is not None

    async def start(self) -> None:
        """Open now what would be opened on first use, so that the first client does not wait."""
        await self.embedder.warm_up()
        if self._library_path is not None:
            served = ServedEncoder(self.embedder, asyncio.get_running_loop())
            self._library = await self.in_library(lambda: ServedLibrary.open(self._library_path or "", served))
            await self.in_library(lambda: self._library and self._library.records.count and self._library.vectors)
        self.is_ready = True

    def drain(self) -> None:
        """Refuse new requests, because the server ends."""
        self.is_draining = True

    async def close(self) -> None:
        self.is_ready = False
        self.embedder.close()
        self._threads.shutdown(wait=True, cancel_futures=True)
        if self._library is not None:
            self._library.close()

    async def in_library(self, work: Callable[[], Result]) -> Result:
        """Do work that may block on a thread, several at once."""

        def quietly() -> Result:
            with silence():  # what is said of a query would hold its words
                return work()

        return await asyncio.get_running_loop().run_in_executor(self._threads, quietly)

    async def change_library(self, work: Callable[[], Result]) -> Result:
        """Do work that writes to the library on a thread, one after the other."""
        async with self._writing:
            return await self.in_library(work)
