"""The facts of photos on a cluster: the payloads of a collection's points, which `filling` writes."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lexel.errors import UsageError
from lexel.library.cluster.collection import Collection
from lexel.library.store.records import Photo

if TYPE_CHECKING:
    from qdrant_client import models


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
        return self._collection.count

    def photo(self, id: int) -> Photo:
        """One photo. Raises UsageError when there is none of that number."""
        return self.photos([id])[0]

    def photos(self, ids: Iterable[int]) -> list[Photo]:
        """The photos in the order asked. Raises UsageError for a number that there is not."""
        asked = [int(id) for id in ids]
        with self._collection.translated_errors():
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

    def search_keywords(
        self, words: Sequence[str], limit: int, ids: "models.Filter | None" = None
    ) -> list[tuple[int, float]]:
        raise UsageError("Keywords are searched in a library on disk, not in one on a cluster.")


def _photo(id: int, payload: dict[str, Any]) -> Photo:
    defaults: dict[str, Any] = {"size": 0, "mtime_ns": 0, "hash": "", "width": 0, "height": 0, "path": ""}
    defaults |= {"tags": (), "keywords": ()}
    values: dict[str, Any] = {name: payload.get(name, defaults.get(name)) for name in Photo.__slots__}
    lists = {name: tuple(values[name]) for name in ("tags", "keywords")}
    return Photo(**{**values, **lists, "id": id, "missing": False})
