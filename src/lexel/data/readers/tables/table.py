"""A table of any kind as named columns: delimited text, JSON lines, JSON, Parquet, Arrow, spreadsheets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lexel.data.readers.tables.arrow_columns import read_arrow, read_parquet
from lexel.data.readers.tables.delimited import read_delimited
from lexel.data.readers.tables.json_rows import read_json, read_json_lines
from lexel.data.readers.tables.lance_copy import arrow_copy
from lexel.data.readers.tables.spreadsheet import read_spreadsheet
from lexel.errors import DataError, UnfitSettingError

MAX_TEXT_TABLE_BYTES = 4 << 30  # larger ones are read from Parquet, by columns

Columns = dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equal length. In untyped tables (CSV) every value is a string, lists included."""

    path: Path
    columns: Columns
    typed: bool = True
    notes: list[str] = field(default_factory=list)
    lines: Sequence[int] | None = None  # of the file, on which each row starts; None: rows have no lines
    encoding: str = "utf-8"  # of the text that the table is written in

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def place(self, row: int) -> str:
        """Where a row, counted from 0, stands: `t.csv, line 5`."""
        return f"{self.path}, row {row + 1}" if self.lines is None else f"{self.path}, line {self.lines[row]}"


def read_table(path: Path, encoding: str | None = None) -> Table:
    """The table in a file, by its extension. Raises DataError naming the line where it is malformed."""
    try:
        table = READERS[path.suffix.lower()](path, encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not in {encoding}: byte {error.object[error.start]:#x} at {error.start:,} does not fit.\n"
            "  Leave data.encoding out, and the encoding is detected."
        ) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    if not len(table):
        raise DataError(f"{path} is empty: it has no rows.")
    return table


def _read_text(path: Path) -> bytes:
    if not path.is_file():  # a pipe would block for ever
        raise DataError(f"{path} is not a regular file.")
    if (size := path.stat().st_size) > MAX_TEXT_TABLE_BYTES:
        raise DataError(
            f"{path} has {size:,} bytes, over the limit of {MAX_TEXT_TABLE_BYTES:,} for a table of text.\n"
            "  Split it, or convert it to Parquet."
        )
    return path.read_bytes()


def _delimited(path: Path, encoding: str | None) -> Table:
    found = read_delimited(_read_text(path), str(path), encoding)
    return Table(path, {**found.columns}, typed=False, notes=found.notes, lines=found.lines, encoding=found.encoding)


def _json_lines(path: Path, encoding: str | None) -> Table:
    columns, lines, encoding = read_json_lines(_read_text(path), str(path), encoding)
    return Table(path, columns, lines=lines, encoding=encoding)


def _json(path: Path, encoding: str | None) -> Table:
    columns, encoding = read_json(_read_text(path), str(path), encoding)
    return Table(path, columns, encoding=encoding)


def _parquet(path: Path, encoding: str | None) -> Table:
    _refuse_encoding(path, encoding)
    if not path.is_file():
        raise DataError(f"{path} is not a regular file.")
    columns, notes = read_parquet(path)
    return Table(path, columns, notes=notes)


def _arrow(path: Path, encoding: str | None) -> Table:
    _refuse_encoding(path, encoding)
    if not path.is_file():
        raise DataError(f"{path} is not a regular file.")
    return Table(path, read_arrow(path))


def _lance(path: Path, encoding: str | None) -> Table:
    _refuse_encoding(path, encoding)
    return Table(path, read_arrow(arrow_copy(path)))


def _spreadsheet(path: Path, encoding: str | None) -> Table:
    _refuse_encoding(path, encoding)
    columns, lines, notes = read_spreadsheet(_read_text(path), str(path))
    return Table(path, {**columns}, typed=False, notes=notes, lines=lines)


def _refuse_encoding(path: Path, encoding: str | None) -> None:
    if encoding is not None:
        raise UnfitSettingError(
            f"{path} says its encoding itself: leave data.encoding out, which is for tables of text."
        )


READERS: dict[str, Callable[[Path, str | None], Table]] = {
    ".csv": _delimited,
    ".tsv": _delimited,
    ".txt": _delimited,
    ".token": _delimited,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
    ".parquet": _parquet,
    ".arrow": _arrow,
    ".feather": _arrow,
    ".ipc": _arrow,
    ".lance": _lance,
    ".xlsx": _spreadsheet,
    ".xlsm": _spreadsheet,
    ".xlsb": _spreadsheet,
    ".xls": _spreadsheet,
    ".ods": _spreadsheet,
}
