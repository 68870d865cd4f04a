"""A library on a Qdrant cluster: for more photos than one machine should hold, searched as a `Library` is.

    with ClusterLibrary.open("qdrant://host:6333/photos", "runs/everyday/model") as library:
        library.search("a red bicycle in the snow", after="2024")

Facts of photos lie beside their vectors as payload; `filling` puts both there. What needs SQLite, `where` and
`keywords`, is refused. Vectors are float16 on the servers' disks, with 8-bit codes of them in memory.
"""

from typing import TYPE_CHECKING, Self

import numpy as np

from lexel.encoder import Encoder
from lexel.errors import UsageError
from lexel.library.cluster.collection import Collection
from lexel.library.cluster.conditions import as_conditions
from lexel.library.cluster.records import ClusterRecords
from lexel.library.cluster.vectors import ClusterVectors
from lexel.library.model import LibraryModel, ModelLike
from lexel.library.search.filters import Filter
from lexel.library.search.search_methods import SearchMethods
from lexel.library.store.database.paths import absolute
from lexel.library.store.records import Photo

if TYPE_CHECKING:
    from qdrant_client import models


class ClusterLibrary(SearchMethods):
    """Searches one collection. Open with `ClusterLibrary.open`."""

    def __init__(self, collection: Collection, encoder: ModelLike | None = None) -> None:
        self.collection = collection
        self.records = ClusterRecords(collection)
        self.vectors = ClusterVectors(collection)
        self._model = LibraryModel(self.records, encoder)

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

    def passing(self, asked: Filter) -> "list[models.Filter | None]":
        """A filter as Qdrant takes it, None for all. Raises UsageError for a folder without photos."""
        if asked.folder is not None:
            with self.collection.translated_errors():
                below = as_conditions(Filter(folder=asked.folder))
                found, _ = self.collection.client.scroll(self.collection.name, scroll_filter=below, limit=1)
            if not found:
                raise UsageError(f"No photo of {self.path} is below {absolute(asked.folder)}.")
        return [as_conditions(asked)]

    def newest(self, asked: Filter, count: int) -> np.ndarray:
        raise UsageError("On a cluster a filter needs words or a picture beside it.")

    def is_there(self, photo: Photo) -> bool:
        """True: the photos' files lie on other machines, and cannot be looked at from here."""
        return True
