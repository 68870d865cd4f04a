"""A table of any kind as named columns: delimited text, JSON lines, Parquet."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexel.data.readers.delimited import read_delimited
from lexel.data.readers.text import decode_text, encoding_note
from lexel.errors import DataError, UsageError

Columns = dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equal length. In untyped tables (CSV) every value is a string, lists included."""

    path: Path
    columns: Columns
    typed: bool
    notes: list[str]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))


def read_table(path: Path) -> Table:
    """The table in a file, by its extension. Raises DataError naming the line where it is malformed."""
    read = READERS[path.suffix.lower()]
    try:
        columns, notes = read(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    table = Table(path, columns, typed=read is not _read_delimited, notes=notes)
    if not len(table):
        raise DataError(f"{path} is empty: it has no rows.")
    return table


def _read_delimited(path: Path) -> tuple[Columns, list[str]]:
    return read_delimited(path.read_bytes(), str(path))


def _read_json_lines(path: Path) -> tuple[Columns, list[str]]:
    text, encoding = decode_text(path.read_bytes())
    rows = [
        _parse_json_line(line, f"{path}, line {number}")
        for number, line in enumerate(text.split("\n"), start=1)
        if line.strip()
    ]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}, encoding_note(encoding)


def _parse_json_line(line: str, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: not JSON ({error}).\n  Each line must be one object, {{…}}.") from error
    if not isinstance(row, dict):
        raise DataError(f"{place}: not an object but {type(row).__name__}.\n  Each line must be one object, {{…}}.")
    return row


def _read_parquet(path: Path) -> tuple[Columns, list[str]]:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError(f'Reading {path.name} needs pyarrow: pip install "lexel[data]"') from error
    try:
        table = parquet.ParquetFile(path).read()
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"{path} is no whole Parquet file: {str(error).splitlines()[0]}") from error
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    return _name_classes(columns, table.schema.metadata or {}), []


def _name_classes(columns: Columns, metadata: dict[bytes, bytes]) -> Columns:
    """Hugging Face keeps labels as numbers, and their names in the schema."""
    features = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    for name, feature in features.items():
        if name in columns and isinstance(feature, dict) and feature.get("_type") == "ClassLabel":
            names = feature["names"]
            columns[name] = [names[value] if value is not None and value >= 0 else None for value in columns[name]]
    return columns


READERS: dict[str, Callable[[Path], tuple[Columns, list[str]]]] = {
    ".csv": _read_delimited,
    ".tsv": _read_delimited,
    ".txt": _read_delimited,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".parquet": _read_parquet,
}
