"""Columns of Parquet and Arrow files, pictures as references to where they lie, with Hugging Face's names of classes.

A column of pictures is never read whole: each row has a `TableImage`, whose bytes are read when they are needed.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexel.data.pairs import TableImage
from lexel.data.table_cells import bytes_of, open_arrow
from lexel.errors import DataError
from lexel.extras import missing_library

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.parquet import ParquetFile

MAX_PARQUET_ROWS = 500_000_000
FULL_ROW_GROUP = 2 << 20  # bytes; larger ones make reading in a random order slow

Columns = dict[str, list[Any]]


def read_parquet(path: Path) -> tuple[Columns, list[str]]:
    """The columns of a Parquet file, and notes. Raises DataError where it is damaged, UsageError without pyarrow."""
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError as error:
        raise missing_library(f"Reading {path.name}", "pyarrow", error) from None
    try:
        with parquet.ParquetFile(path) as file:
            rows = file.metadata.num_rows
            if rows > MAX_PARQUET_ROWS:
                raise DataError(f"{path} claims {rows:,} rows, over the limit of {MAX_PARQUET_ROWS:,}.")
            schema = file.schema_arrow
            pictures = [field.name for field in schema if _holds_pictures(file, field)]
            others = [name for name in schema.names if name not in pictures]
            table = file.read(columns=others) if others else None
            read = {name: table.column(name).to_pylist() for name in others} if table is not None else {}
            read |= {name: _references(file, path, name) for name in pictures}
            notes = _large_groups_note(file, pictures)
    except (arrow.ArrowException, OSError, ValueError, OverflowError, MemoryError, KeyError) as error:
        raise DataError(f"{path} is not a complete Parquet file: {_reason(error)}") from error
    return _name_classes({name: read[name] for name in schema.names}, schema.metadata or {}), notes


def read_arrow(path: Path) -> Columns:
    """The columns of an Arrow file, as Hugging Face's `datasets` saves them. Raises DataError where it is damaged."""
    try:
        import pyarrow as arrow
    except ImportError as error:
        raise missing_library(f"Reading {path.name}", "pyarrow", error) from None
    try:
        batches = open_arrow(path)
        if not batches:
            return {}
        schema = batches[0].schema
        columns: Columns = {}
        for field in schema:
            parts = [batch.column(field.name) for batch in batches]
            if _is_bytes(field.type) and not _are_texts(value for part in parts for value in part[:1].to_pylist()):
                columns[field.name] = [
                    value
                    for number, part in enumerate(parts)
                    for value in _of_group(path, number, field.name, bytes_of(part).is_valid(), _paths(part))
                ]
            else:
                columns[field.name] = [value for part in parts for value in part.to_pylist()]
    except (arrow.ArrowException, OSError, ValueError, OverflowError, MemoryError, KeyError) as error:
        raise DataError(f"{path} is not a complete Arrow file: {_reason(error)}") from error
    return _name_classes(columns, schema.metadata or {})


def _reason(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _is_bytes(kind: "pyarrow.DataType") -> bool:
    """Whether a column holds bytes, or Hugging Face's `{bytes, path}` objects."""
    import pyarrow as arrow

    if arrow.types.is_struct(kind):
        bytes_field = kind.get_field_index("bytes")
        return bytes_field >= 0 and _is_bytes(kind.field(bytes_field).type)
    return arrow.types.is_binary(kind) or arrow.types.is_large_binary(kind)


def _holds_pictures(file: "ParquetFile", field: "pyarrow.Field") -> bool:
    import pyarrow as arrow

    if not _is_bytes(field.type) or arrow.types.is_struct(field.type):
        return _is_bytes(field.type)
    first = next(file.iter_batches(batch_size=1, columns=[field.name]), None)
    return first is None or not _are_texts(first.column(0).to_pylist())


def _are_texts(values: Iterable[Any]) -> bool:
    """Whether bytes are captions rather than pictures; objects never are."""
    known = [value for value in values if value is not None]
    try:
        return bool(known) and all(isinstance(value, bytes) and "\0" not in value.decode() for value in known)
    except UnicodeDecodeError:
        return False


def _references(file: "ParquetFile", path: Path, column: str) -> list[Any]:
    """For each row where its picture lies, `{path}` where it is a file, or None."""
    values: list[Any] = []
    for group in range(file.num_row_groups):
        metadata = file.metadata.row_group(group)
        if _has_all(metadata, column):
            values += [TableImage(path, group, row, column) for row in range(metadata.num_rows)]
            continue
        cells = file.read_row_group(group, columns=[column], use_threads=False).column(column).combine_chunks()
        values += _of_group(path, group, column, bytes_of(cells).is_valid(), _paths(cells))
    return values


def _has_all(group: Any, column: str) -> bool:
    """Whether the statistics of a row group say that each row has a picture."""
    for number in range(group.num_columns):
        leaf = group.column(number)
        if leaf.path_in_schema in (column, f"{column}.bytes"):
            found = leaf.statistics
            return found is not None and found.has_null_count and found.null_count == 0
    return False


def _paths(cells: "pyarrow.Array") -> Sequence[str | None]:
    import pyarrow as arrow

    if not isinstance(cells, arrow.StructArray) or cells.type.get_field_index("path") < 0:
        return [None] * len(cells)
    return cells.flatten()[cells.type.get_field_index("path")].to_pylist()


def _of_group(
    path: Path, group: int, column: str, has_bytes: "pyarrow.BooleanArray", paths: Sequence[str | None]
) -> list[Any]:
    return [
        TableImage(path, group, row, column) if there else {"bytes": None, "path": paths[row]} if paths[row] else None
        for row, there in enumerate(has_bytes.to_pylist())
    ]


def _large_groups_note(file: "ParquetFile", pictures: Sequence[str]) -> list[str]:
    if not pictures or not file.num_row_groups:
        return []
    largest = max(file.metadata.row_group(number).total_byte_size for number in range(file.num_row_groups))
    if largest <= FULL_ROW_GROUP:
        return []
    return [
        f"its row groups have up to {largest >> 20:,} MB, all of which are read for one picture: to train on it,"
        " pack it first with lexel data prepare"
    ]


def _name_classes(columns: Columns, metadata: dict[bytes, bytes]) -> Columns:
    """Hugging Face keeps labels as numbers, and their names in the schema."""
    for name, names in _class_names(metadata).items():
        if name in columns:
            columns[name] = [_class_name(value, names) for value in columns[name]]
    return columns


def _class_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        labels = {name: feature for name, feature in features.items() if feature.get("_type") == "ClassLabel"}
        return {name: list(feature["names"]) for name, feature in labels.items()}
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):  # notes of another tool, or damaged ones
        return {}


def _class_name(value: Any, names: list[str]) -> Any:
    """The name of a class, None for −1 (no label); a number without a name stays."""
    if not isinstance(value, int):
        return value
    if value < 0:
        return None
    return names[value] if value < len(names) else value
