"""The vectors of photos on a cluster, searched by its servers."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lexel.library.cluster.collection import Collection
from lexel.library.search.strength import SAMPLE_PHOTOS
from lexel.unit_vectors import unit

if TYPE_CHECKING:
    from qdrant_client import models

CANDIDATES_PER_RESULT = 4.0  # found by their codes (Qdrant calls it oversampling), rescored with the vectors
POINTS_PER_RETRIEVAL = 1024


class ClusterVectors:
    """What a search asks of a library's `Vectors`, of the collection."""

    kind = "Qdrant"
    generation = 0

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    @property
    def count(self) -> int:
        return self._collection.count

    @property
    def ids(self) -> np.ndarray:
        """(S,) int64, ascending: a sample that stands for all, the same every time, up to twice SAMPLE_PHOTOS."""
        return self._sample

    @cached_property
    def _sample(self) -> np.ndarray:
        last = self._collection.facts.get("last_id", 0)
        guesses = np.unique(np.linspace(0, last, 2 * SAMPLE_PHOTOS).astype(np.int64))
        with self._collection.translated_errors():
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

        Only among `ids`, numbers or a filter. By default through Qdrant's graph; with `approximate` False all vectors
        are compared. Returns cosines (Q, count) float32 and ids (Q, count) int64, −∞ and −1 where there are fewer.
        """
        from qdrant_client import models

        if isinstance(ids, np.ndarray):
            ids = models.Filter(must=[models.HasIdCondition(has_id=ids.tolist())])
        rescored = models.QuantizationSearchParams(rescore=True, oversampling=CANDIDATES_PER_RESULT)
        how = models.SearchParams(exact=approximate is False, quantization=rescored)
        asked = [
            models.QueryRequest(query=query.tolist(), filter=ids, params=how, limit=count, with_payload=False)
            for query in np.asarray(queries, np.float32)
        ]
        with self._collection.translated_errors():
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
        for start in range(0, len(asked), POINTS_PER_RETRIEVAL):
            with self._collection.translated_errors():
                points = self._collection.client.retrieve(
                    self._collection.name,
                    asked[start : start + POINTS_PER_RETRIEVAL],
                    with_payload=False,
                    with_vectors=True,
                )
            found |= {int(point.id): point.vector for point in points}  # pyright: ignore[reportArgumentType]
        dimensions = self._collection.facts.get("dimensions", 0)
        vectors = np.array([found[id] for id in asked], np.float32).reshape(len(asked), dimensions)
        return unit(vectors)
