"""Images to be named, with whatever else a table says of them, and the table that comes out.

Rows of a table keep their columns, in their order; what was found stands beside them in columns of its own.
"""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lexel.data.image_arguments import image_arguments
from lexel.data.pairs import Picture, TableImage
from lexel.data.readers.tables.columns import Wanted, choose_columns, is_embedded
from lexel.data.readers.tables.picture_column import read_pictures
from lexel.data.readers.tables.table import read_table
from lexel.errors import UsageError
from lexel.extras import missing_library
from lexel.files import new_file, write_atomically

INPUT_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
OUTPUT_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One image, or a row that names none, and the other columns of its table."""

    name: str
    image: Path | bytes | Picture | None
    columns: dict[str, Any] = field(default_factory=dict)


def image_rows(arguments: Sequence[str]) -> tuple[list[ImageRow], list[str]]:
    """The images that a command line names, or the rows of the one table that it names, and notes on the table.

    Raises UsageError for what is not there, or for a table beside something else.
    """
    tables = [argument for argument in arguments if _is_table(argument)]
    if not tables:
        return [ImageRow(name, image, {"image": name}) for name, image in image_arguments(arguments)], []
    if len(arguments) > 1:
        raise UsageError(f"{tables[0]} is a table. Give it alone, or give images without a table.")
    return _rows_of_table(Path(tables[0]).expanduser())


def check_output(path: Path, arguments: Sequence[str]) -> None:
    """Raise UsageError where the table cannot be written, before the work."""
    if path.suffix.lower() not in OUTPUT_SUFFIXES:
        raise UsageError(f"{path} is no table that Lexel writes. Its name must end in {', '.join(OUTPUT_SUFFIXES)}.")
    if path.is_dir():
        raise UsageError(f"{path} is a folder. Give the name of a file in it, such as {path / 'labels.csv'}.")
    if not path.parent.is_dir():
        raise UsageError(f"There is no folder {path.parent} to write {path.name} into.")
    if any(_is_table(argument) and Path(argument).expanduser().resolve() == path.resolve() for argument in arguments):
        raise UsageError(f"{path} is the table that is read. Write into another file.")
    if path.suffix.lower() == ".parquet":
        _pyarrow()


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Write the rows as CSV, TSV, JSON lines or Parquet, by the suffix. Returns the columns left out.

    A column of pictures themselves goes into Parquet only. Lists and objects are written as JSON where cells are text.
    """
    columns = list(dict.fromkeys(column for row in rows for column in row))
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        _write_parquet(path, columns, rows)
        return []
    left_out = [column for column in columns if any(is_embedded(row.get(column)) for row in rows)]
    columns = [column for column in columns if column not in left_out]
    if suffix == ".jsonl":
        lines = [json.dumps({c: row.get(c) for c in columns}, ensure_ascii=False, default=str) + "\n" for row in rows]
        write_atomically(path, "".join(lines))
        return left_out
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter="\t" if suffix == ".tsv" else ",", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    write_atomically(path, text.getvalue())
    return left_out


def _is_table(argument: str) -> bool:
    path = Path(argument).expanduser()
    return path.suffix.lower() in INPUT_SUFFIXES and path.is_file()


def _rows_of_table(path: Path) -> tuple[list[ImageRow], list[str]]:
    table = read_table(path)
    column = choose_columns(table, Wanted(text_required=False)).image
    pictures, notes = read_pictures(table, column)
    rows = []
    for number, found in enumerate(pictures):
        columns = {name: values[number] for name, values in table.columns.items()}
        name = str(columns[column]) if not is_embedded(columns[column]) else f"row {number + 1}"
        rows.append(ImageRow(name, found.picture if found else None, columns))
    return rows, [f"{path.name}: {note}" for note in (f'images from "{column}"', *table.notes, *notes)]


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else value


def _write_parquet(path: Path, columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    pa = _pyarrow()
    import pyarrow.parquet as parquet

    table = pa.table({column: [_stored(row.get(column)) for row in rows] for column in columns})
    with new_file(path) as temporary:
        parquet.write_table(table, temporary)


def _stored(value: Any) -> Any:
    """What Parquet holds of a cell: of a picture its bytes, as Hugging Face's tables have them."""
    return {"bytes": value.content(), "path": None} if isinstance(value, TableImage) else value


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise missing_library("Writing Parquet", "pyarrow", error) from None
    return pyarrow
