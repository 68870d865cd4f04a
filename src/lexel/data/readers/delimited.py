"""Tables of delimited text, as spreadsheets and data sets write them: any delimiter, any encoding, header or none."""

import csv
import io
from itertools import islice

from lexel.data.readers.paths import has_image_extension
from lexel.data.readers.text import decode_text, encoding_note
from lexel.errors import DataError

DELIMITERS = (",", "\t", ";", "|")
MAX_RAGGED_SHARE = 0.01  # of the rows may have a wrong number of fields and are skipped

Row = tuple[int, list[str]]  # the line it starts on, its fields


def read_delimited(content: bytes, name: str) -> tuple[dict[str, list], list[str]]:
    """The columns of a delimited table, and notes on how it was read. `name` is for messages."""
    text, encoding = decode_text(content)
    rows, notes = _read_rows(text, _find_delimiter(text))
    if not rows:
        return {}, []
    header = [field.strip() for field in rows[0][1]]
    if any(has_image_extension(field) for field in header):
        header = [""] * len(header)
        notes.append("no header line, columns are numbered")
    else:
        rows = rows[1:]
    names = _unique_names(header)
    rows, skipped = _drop_ragged(rows, len(names), name)
    columns = {column: [fields[place] for _, fields in rows] for place, column in enumerate(names)}
    return columns, [*encoding_note(encoding), *notes, *skipped]


def _find_delimiter(text: str) -> str:
    """The one by which the first rows fall most evenly into two fields or more."""
    best, best_score = ",", (0.0, 0)
    for delimiter in DELIMITERS:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
        try:
            widths = [len(fields) for fields in islice(reader, 200) if fields]
        except csv.Error:
            continue
        if not widths or widths[0] < 2:
            continue
        score = (sum(width == widths[0] for width in widths) / len(widths), widths[0])
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _read_rows(text: str, delimiter: str) -> tuple[list[Row], list[str]]:
    try:
        return _parse(text, delimiter, quotes=True), []
    except csv.Error:  # quotes that nobody closed: then they are not quotes
        return _parse(text, delimiter, quotes=False), ["quotation marks taken as plain characters"]


def _parse(text: str, delimiter: str, *, quotes: bool) -> list[Row]:
    quoting = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True, quoting=quoting)
    rows, start = [], 1
    for fields in reader:
        if any(field.strip() for field in fields):
            rows.append((start, fields))
        start = reader.line_num + 1
    return rows


def _unique_names(header: list[str]) -> list[str]:
    names: list[str] = []
    for place, name in enumerate(header, start=1):
        names.append(name if name and name not in names else f"column {place}")
    return names


def _drop_ragged(rows: list[Row], width: int, name: str) -> tuple[list[Row], list[str]]:
    straight = [(line, fields) for line, fields in rows if len(fields) >= width and not any(fields[width:])]
    ragged = len(rows) - len(straight)
    if not ragged:
        return straight, []
    whole = {line for line, _ in straight}
    line, fields = next(row for row in rows if row[0] not in whole)
    if ragged > MAX_RAGGED_SHARE * len(rows):
        raise DataError(
            f"{name}, line {line}: {len(fields)} fields where the first line has {width}"
            f" ({ragged:,} of {len(rows):,} rows are so).\n"
            "  A caption that holds the delimiter or a line break must stand in double quotes."
        )
    return straight, [f"{ragged:,} of {len(rows):,} rows skipped for a wrong number of fields, first on line {line}"]
