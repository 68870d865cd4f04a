"""What a search needs of a collection of photos: the protocol that `Library` and `ClusterLibrary` both fulfil.

`Passing` is how a collection writes down the photos that pass a filter: `Library` as an array of ids, a Qdrant
collection as a filter of its own, which its servers work out.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from lexel.encoder import Encoder
from lexel.library.search.filters import Filter
from lexel.library.store.records import Photo

Passing = TypeVar("Passing")
PassingTaken = TypeVar("PassingTaken", contravariant=True)


class SearchableRecords(Protocol[PassingTaken]):
    """The facts of photos."""

    @property
    def folder(self) -> str | Path:
        """The folder or address of the whole, for people."""
        ...

    def photo(self, id: int) -> Photo:
        """One photo, also one that has vanished. Raises UsageError when there is none of that number."""
        ...

    def photos(self, ids: Iterable[int]) -> list[Photo]:
        """The photos in the order asked. Raises UsageError for a number that there is not."""
        ...

    def ids_of(self, path: str) -> list[int]:
        """The photos at this absolute path, or below it."""
        ...

    def thumbnail(self, id: int) -> bytes:
        """A small JPEG of the photo. Raises UsageError when there is none."""
        ...

    def search_keywords(
        self, words: Sequence[str], limit: int, ids: PassingTaken | None = None
    ) -> list[tuple[int, float]]:
        """(id, BM25, lower is better) of the best photos that have all the words, among `ids` where they are given."""
        ...


class SearchableVectors(Protocol[PassingTaken]):
    """The vectors of photos."""

    @property
    def count(self) -> int:
        """How many photos are searched."""
        ...

    @property
    def ids(self) -> np.ndarray:
        """(N,) int64, ascending: the photos that are searched, or a sample that stands for them."""
        ...

    def search(
        self,
        queries: np.ndarray,
        count: int,
        ids: PassingTaken | None = None,
        *,
        approximate: bool | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Cosines (Q, count) float32 and ids (Q, count) int64 of the best photos for unit vectors (Q, D), best first.

        −∞ and −1 where there are fewer. Only among `ids` where they are given.
        """
        ...

    def vectors_of(self, ids: np.ndarray) -> np.ndarray:
        """(N, D) float32 unit vectors of these photos, in their order. Raises KeyError for one that is not searched."""
        ...


class Searchable(Protocol[Passing]):
    """A collection of photos that can be searched by `ranking.rank`."""

    @property
    def records(self) -> SearchableRecords[Passing]: ...

    @property
    def vectors(self) -> SearchableVectors[Passing]: ...

    @property
    def encoder(self) -> Encoder:
        """The model that the vectors are from. Raises UsageError when it cannot be loaded."""
        ...

    def passing(self, asked: Filter) -> Sequence[Passing | None]:
        """The photos that pass a filter, in sets of which each is ranked below those before it; None stands for all.

        The last set holds photos that are away with their folder or drive. Raises UsageError for what cannot be asked.
        """
        ...

    def newest(self, asked: Filter, count: int) -> np.ndarray:
        """Ids (N,) int64 of the newest `count` photos that pass a filter, newest first."""
        ...

    def is_there(self, photo: Photo) -> bool:
        """Whether the photo's file is there at this moment, as far as that can be known here."""
        ...
