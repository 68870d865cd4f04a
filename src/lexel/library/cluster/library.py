"""A library on a Qdrant cluster: for more photos than one machine should hold, searched as a `Library` is.

    with ClusterLibrary.open("qdrant://host:6333/photos", "runs/everyday/model") as library:
        library.search("a red bicycle in the snow", after="2024")

Facts of photos lie beside their vectors as payload; `cluster_filling` puts both there. What needs SQLite, `where` and
`keywords`, is refused. Vectors are float16 on the servers' disks, with 8-bit codes of them in memory.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from lexel.encoder import Encoder
from lexel.errors import DataError, UsageError
from lexel.extras import missing_library
from lexel.library.model import LibraryModel, ModelLike
from lexel.library.search.filters import Filter, first_day
from lexel.library.search.strength import SAMPLE
from lexel.library.store.paths import absolute
from lexel.library.store.records import Photo
from lexel.unit_vectors import unit

if TYPE_CHECKING:
    from qdrant_client import QdrantClient, models

    from lexel.library.library import Library
    from lexel.library.search.query import Hit

SCHEMES = {"qdrant://": "http://", "qdrants://": "https://"}
TIMEOUT = 60  # seconds
OVERSAMPLING = 4.0  # candidates by their codes for each result, rescored with the vectors
SCROLLED = 1024  # points in a request


def is_cluster(given: str | Path) -> bool:
    """Whether this is the address of a collection rather than a library's folder."""
    return str(given).startswith(tuple(SCHEMES))


@dataclass(frozen=True)
class Collection:
    """One collection of a Qdrant cluster. Whatever goes wrong there becomes DataError or UsageError."""

    client: "QdrantClient"
    name: str
    address: str

    @classmethod
    def connect(cls, address: str) -> Self:
        """The collection at qdrant://host:6333/name, or qdrants:// for TLS; its key is taken from QDRANT_API_KEY."""
        scheme = next((scheme for scheme in SCHEMES if address.startswith(scheme)), None)
        server, _, name = address.removeprefix(scheme or "").rstrip("/").partition("/")
        if scheme is None or not server or not name or "/" in name:
            raise UsageError(f"{address} is no collection. Write qdrant://host:6333/photos")
        try:
            from qdrant_client import QdrantClient
        except ImportError as error:
            raise missing_library("A library on a cluster", "qdrant_client", error) from None
        key = os.environ.get("QDRANT_API_KEY")
        url = SCHEMES[scheme] + server
        return cls(QdrantClient(url=url, api_key=key, timeout=TIMEOUT, check_compatibility=False), name, address)

    @property
    def exists(self) -> bool:
        with self.told():
            return self.client.collection_exists(self.name)

    @property
    def facts(self) -> dict[str, Any]:
        """Fingerprint, model, dimensions and highest number of a photo, as they were put there."""
        with self.told():
            return self.client.get_collection(self.name).config.metadata or {}

    @contextmanager
    def told(self) -> Iterator[None]:
        """Errors of the server or the way to it as a sentence."""
        from qdrant_client.http.exceptions import ApiException, ResponseHandlingException

        try:
            yield
        except ResponseHandlingException as error:
            raise DataError(f"{self.address} does not answer: {error.source}") from None
        except ApiException as error:
            raise DataError(f"{self.address} refuses: {str(error).partition(chr(10))[0]}") from None


class ClusterLibrary:
    """Searches one collection. Open with `ClusterLibrary.open`."""

    def __init__(self, collection: Collection, encoder: ModelLike | None = None) -> None:
        self.collection = collection
        self.records = ClusterRecords(collection)
        self.vectors = ClusterVectors(collection)
        self._model = LibraryModel(cast(Any, self.records), encoder)

    @classmethod
    def open(cls, address: str, encoder: ModelLike | None = None) -> Self:
        """The library at qdrant://host:6333/collection. `encoder` as for `Library.open`.

        Raises UsageError when there is none or it is of another model, and DataError when it does not answer.
        """
        collection = Collection.connect(address)
        if not collection.exists or "fingerprint" not in collection.facts:
            raise UsageError(f"{address} has no library. Fill it: lexel index {address} photos.lexel")
        return cls(collection, encoder)

    def close(self) -> None:
        self.collection.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def path(self) -> str:
        return self.collection.address

    @property
    def encoder(self) -> Encoder:
        """Raises UsageError when it cannot be loaded or is not the one that the vectors are from."""
        return self._model.encoder

    def search(self, *texts: str, **options: Any) -> "list[Hit]":
        """The photos that fit best; what may be asked besides words is in `Query`."""
        from lexel.library.search.query import Query

        return Query(texts=texts, **options).run(cast("Library", self))

    def passing(self, asked: Filter) -> "models.Filter | None":
        """A filter as Qdrant takes it; None when nothing is asked. Raises UsageError for a folder without photos."""
        if asked.folder is not None:
            with self.collection.told():
                below = as_conditions(Filter(folder=asked.folder))
                found, _ = self.collection.client.scroll(self.collection.name, scroll_filter=below, limit=1)
            if not found:
                raise UsageError(f"No photo of {self.path} is below {absolute(asked.folder)}.")
        return as_conditions(asked)

    def newest(self, asked: Filter, count: int) -> np.ndarray:
        raise UsageError("On a cluster a filter needs words or a picture beside it.")


class ClusterRecords:
    """What a search asks of a library's `Records`, of the payloads."""

    def __init__(self, collection: Collection) -> None:
        self.folder = collection.address
        self._collection = collection

    @cached_property
    def _facts(self) -> dict[str, Any]:
        return self._collection.facts

    def fact(self, key: str) -> Any:
        return self._facts.get(key)

    @property
    def fingerprint(self) -> str | None:
        return self.fact("fingerprint")

    @property
    def model(self) -> str | None:
        return self.fact("model")

    @property
    def dimensions(self) -> int:
        return self.fact("dimensions") or 0

    @property
    def count(self) -> int:
        with self._collection.told():
            return self._collection.client.get_collection(self._collection.name).points_count or 0

    def photo(self, id: int) -> Photo:
        """One photo. Raises UsageError when there is none of that number."""
        return self.photos([id])[0]

    def photos(self, ids: Iterable[int]) -> list[Photo]:
        """The photos in the order asked. Raises UsageError for a number that there is not."""
        asked = [int(id) for id in ids]
        with self._collection.told():
            points = self._collection.client.retrieve(self._collection.name, asked, with_payload=True)
        found = {int(point.id): point.payload or {} for point in points}  # pyright: ignore[reportArgumentType]
        unknown = next((id for id in asked if id not in found), None)
        if unknown is not None:
            raise UsageError(f"{self.folder} has no photo {unknown}.")
        return [_photo(id, found[id]) for id in asked]

    def ids_of(self, path: str) -> list[int]:
        """None: a picture that is given as an example is embedded, also when it is one of these."""
        return []

    def thumbnail(self, id: int) -> bytes:
        raise UsageError(f"{self.folder} holds no thumbnails; print --paths or --json instead.")

    def search_text(self, match: str, limit: int, ids: Any = None) -> list[tuple[int, float]]:
        raise UsageError("Keywords are searched in a library on disk, not in one on a cluster.")


class ClusterVectors:
    """What a search asks of a library's `Vectors`, of the collection."""

    kind = "Qdrant"
    generation = 0

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    @property
    def count(self) -> int:
        return ClusterRecords(self._collection).count

    @cached_property
    def ids(self) -> np.ndarray:
        """(S,) int64, ascending: a sample that stands for all, the same every time, up to twice strength's SAMPLE."""
        last = self._collection.facts.get("last_id", 0)
        guesses = np.unique(np.linspace(0, last, 2 * SAMPLE).astype(np.int64))
        with self._collection.told():
            points = self._collection.client.retrieve(self._collection.name, guesses.tolist(), with_payload=False)
        return np.sort(np.array([point.id for point in points], np.int64))

    def search(
        self,
        queries: np.ndarray,
        count: int,
        ids: "np.ndarray | models.Filter | None" = None,
        *,
        approximate: bool | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best photos for each of the unit vectors `queries` (Q, D), best first.

        Only among `ids`, numbers or a filter. By itself through Qdrant's graph; with `approximate` False all vectors
        are compared. Returns cosines (Q, count) float32 and ids (Q, count) int64, −∞ and −1 where there are fewer.
        """
        from qdrant_client import models

        if isinstance(ids, np.ndarray):
            ids = models.Filter(must=[models.HasIdCondition(has_id=ids.tolist())])
        rescored = models.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING)
        how = models.SearchParams(exact=approximate is False, quantization=rescored)
        asked = [
            models.QueryRequest(query=query.tolist(), filter=ids, params=how, limit=count, with_payload=False)
            for query in np.asarray(queries, np.float32)
        ]
        with self._collection.told():
            answers = self._collection.client.query_batch_points(self._collection.name, asked)
        scores = np.full((len(asked), count), -np.inf, np.float32)
        best = np.full((len(asked), count), -1, np.int64)
        for row, answer in enumerate(answers):
            found = sorted((-point.score, int(point.id)) for point in answer.points)  # pyright: ignore
            scores[row, : len(found)] = [-score for score, _ in found]
            best[row, : len(found)] = [id for _, id in found]
        return scores, best

    def vectors_of(self, ids: np.ndarray) -> np.ndarray:
        """(N, D) float32 unit vectors of these photos, in their order. Raises KeyError for one that is not there."""
        asked = np.asarray(ids, np.int64).tolist()
        found: dict[int, Any] = {}
        for start in range(0, len(asked), SCROLLED):
            with self._collection.told():
                points = self._collection.client.retrieve(
                    self._collection.name, asked[start : start + SCROLLED], with_payload=False, with_vectors=True
                )
            found |= {int(point.id): point.vector for point in points}  # pyright: ignore[reportArgumentType]
        dimensions = self._collection.facts.get("dimensions", 0)
        vectors = np.array([found[id] for id in asked], np.float32).reshape(len(asked), dimensions)
        return unit(vectors)


def as_conditions(asked: Filter) -> "models.Filter | None":
    """A library's filter in Qdrant's terms, of the payloads that `cluster_filling` writes. Raises UsageError."""
    from qdrant_client import models

    if asked.where is not None:
        raise UsageError("--where is SQL and needs a library on disk; a cluster knows the other filters.")
    days = {"gte": asked.after, "lt": asked.before}
    span = {name: first_day(day) for name, day in days.items() if day is not None}
    equal = {"orientation": asked.orientation, "tags": asked.tag}
    if asked.folder is not None:
        equal["folders"] = absolute(asked.folder)
    must: list[Any] = [
        models.FieldCondition(key=key, match=models.MatchValue(value=value))
        for key, value in equal.items()
        if value is not None
    ]
    if span:
        must.append(models.FieldCondition(key="taken", range=models.DatetimeRange(**cast(Any, span))))
    if asked.least_side is not None:
        must.append(models.FieldCondition(key="least_side", range=models.Range(gte=asked.least_side)))
    return models.Filter(must=must) if must else None


def _photo(id: int, payload: dict[str, Any]) -> Photo:
    defaults: dict[str, Any] = {"size": 0, "mtime_ns": 0, "hash": "", "width": 0, "height": 0, "path": "", "tags": ()}
    values: dict[str, Any] = {name: payload.get(name, defaults.get(name)) for name in Photo.__slots__}
    return Photo(**{**values, "id": id, "tags": tuple(values["tags"]), "missing": False})
