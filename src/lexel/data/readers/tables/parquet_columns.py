"""Tables in Parquet files, with Hugging Face's names of classes."""

import json
from pathlib import Path
from typing import Any

from lexel.errors import DataError
from lexel.extras import missing_library

MAX_PARQUET_ROWS = 500_000_000

Columns = dict[str, list[Any]]


def read_parquet(path: Path) -> Columns:
    """The columns of a Parquet file. Raises DataError where it is damaged, UsageError without pyarrow."""
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError as error:
        raise missing_library(f"Reading {path.name}", "pyarrow", error) from None
    try:
        file = parquet.ParquetFile(path)
        if file.metadata.num_rows > MAX_PARQUET_ROWS:
            raise DataError(f"{path} claims {file.metadata.num_rows:,} rows, over the limit of {MAX_PARQUET_ROWS:,}.")
        table = file.read()
        columns = {name: table.column(name).to_pylist() for name in table.column_names}
    except (arrow.ArrowException, OSError, ValueError, OverflowError, MemoryError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path} is no whole Parquet file: {reason[:200]}") from error
    return _name_classes(columns, table.schema.metadata or {})


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
