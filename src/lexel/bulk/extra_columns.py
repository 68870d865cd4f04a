"""The other columns of a source's tables in what is written: their names and types, the same in every shard.

A type is chosen once, from all values, since a shard of whole numbers and one of fractions would not read as one table.
"""

import base64
import json
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lexel.bulk.items import BulkItem

if TYPE_CHECKING:
    import pyarrow as pa

OWN_COLUMNS = ("key", "label", "captions", "text", "embedding")
_ORIGINAL = b"lexel.column"  # in a field's metadata: the name in the source's table


class ExtraColumns:
    """Names and Arrow types; `encoded` is all of it as text, empty where there are none."""

    def __init__(self, encoded: str = "") -> None:
        self.encoded = encoded

    @classmethod
    def of(cls, items: Sequence[BulkItem]) -> "ExtraColumns":
        """The columns of these items, in the order in which they appear."""
        import pyarrow as pa

        found = dict.fromkeys(name for item in items for name in item.extras or ())
        if not found:
            return cls()
        names = _distinct_names(list(found))
        fields = [
            pa.field(name, _type([(item.extras or {}).get(original) for item in items]), metadata={_ORIGINAL: original})
            for original, name in names.items()
        ]
        return cls(base64.b64encode(pa.schema(fields).serialize().to_pybytes()).decode())

    @property
    def names(self) -> list[str]:
        """As they are written."""
        return [field.name for field in self._fields]

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Names and types, for comparison."""
        return [(field.name, str(field.type)) for field in self._fields]

    def arrays(self, items: Sequence[BulkItem]) -> "dict[str, pa.Array]":
        """The columns of these items."""
        import pyarrow as pa

        columns = {}
        for field in self._fields:
            original = (field.metadata or {})[_ORIGINAL].decode()
            values = [(item.extras or {}).get(original) for item in items]
            if pa.types.is_string(field.type):
                values = [_as_text(value) for value in values]
            columns[field.name] = pa.array(values, field.type)
        return columns

    @cached_property
    def _fields(self) -> "list[pa.Field]":
        if not self.encoded:
            return []
        import pyarrow as pa

        return list(pa.ipc.read_schema(pa.py_buffer(base64.b64decode(self.encoded))))


def _distinct_names(columns: Sequence[str]) -> dict[str, str]:
    """By the column's name the one that it is written under: Lexel's own columns keep theirs."""
    names: dict[str, str] = {}
    for column in columns:
        name = column
        while name in OWN_COLUMNS or name in names.values() or (name != column and name in columns):
            name = f"{name}_in_table"
        names[column] = name
    return names


def _type(values: Sequence[Any]) -> "pa.DataType":
    """What holds all of the values; text where they are of several kinds, or all missing."""
    import pyarrow as pa

    try:
        found = pa.array(values).type
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return pa.string()
    return pa.string() if pa.types.is_null(found) else found


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
