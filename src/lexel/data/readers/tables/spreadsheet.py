"""Spreadsheets: Excel's and LibreOffice's own files, read by calamine. The first sheet with rows is the table."""

import io
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from typing import Any

from lexel.data.readers.paths import has_image_extension
from lexel.errors import DataError
from lexel.extras import missing_library

Row = tuple[int, list[str]]  # the number of the row in the sheet, counted from 1, and its cells


def read_spreadsheet(content: bytes, name: str) -> tuple[dict[str, list[str]], list[int], list[str]]:
    """The columns of a sheet as text, the row of each of its rows, and notes. Raises DataError where it is damaged.

    Cells are text as in a CSV file: 42.0 is "42", an empty cell is "".
    """
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError as error:
        raise missing_library(f"Reading {name}", "python_calamine", error) from None
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        sheets = [
            (sheet, _rows(book.get_sheet_by_name(sheet).to_python(skip_empty_area=False))) for sheet in book.sheet_names
        ]
    except (CalamineError, ValueError, OSError, KeyError, MemoryError) as error:
        raise DataError(f"{name} is not a complete spreadsheet: {str(error)[:200]}") from None
    filled = [(sheet, rows) for sheet, rows in sheets if rows]
    if not filled:
        return {}, [], []
    sheet, rows = filled[0]
    notes = (
        [f'sheet "{sheet}" read; there are also: {", ".join(other for other, _ in filled[1:])}'] if filled[1:] else []
    )
    if any(map(has_image_extension, rows[0][1])):
        header = [""] * len(rows[0][1])
        notes.append("no header line, columns are numbered")
    else:
        header = rows.pop(0)[1]
    columns = dict(_columns(header, rows))
    return columns, [number for number, _ in rows], notes


def _rows(cells: Sequence[Sequence[Any]]) -> list[Row]:
    texts = ((number, [_text(cell) for cell in row]) for number, row in enumerate(cells, start=1))
    return [(number, row) for number, row in texts if any(row)]


def _columns(header: Sequence[str], rows: Sequence[Row]) -> Iterator[tuple[str, list[str]]]:
    """Columns with a name or with anything in them."""
    names: set[str] = set()
    for place, title in enumerate(header):
        values = [row[place] if place < len(row) else "" for _, row in rows]
        if not title and not any(values):
            continue
        name = title if title and title not in names else f"column {place + 1}"
        names.add(name)
        yield name, values


def _text(cell: Any) -> str:
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    return str(cell).strip()
