"""A library's filter in Qdrant's terms, of the payloads that `filling` writes."""

from typing import TYPE_CHECKING, Any, cast

from lexel.errors import UsageError
from lexel.library.search.filters import Filter, first_day
from lexel.library.store.database.paths import absolute

if TYPE_CHECKING:
    from qdrant_client import models


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
