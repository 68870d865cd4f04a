"""Tables of delimited text, as spreadsheets and data sets write them: any delimiter, any encoding, header or none.

Every line belongs to a row that was read or to one that is named as faulty. A quotation mark that nobody closes makes
the csv module swallow all lines up to the next mark and call them one field; here that costs one row: a row whose
further lines look like rows of their own is faulty in its first line, and reading goes on at the second.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from lexel.data.readers.paths import has_image_extension
from lexel.data.readers.tables.column_names import CAPTION_NAMES, IMAGE_NAMES, plain_name
from lexel.data.readers.text import decode_text
from lexel.errors import DataError
from lexel.terminal import counted

DELIMITERS = (",", "\t", ";", "|")
MAX_FAULTY_SHARE = 0.1  # of the rows may be faulty and are left out; more means that the table is another than it seems
FEW_FAULTY_ROWS = 3  # are left out in a small table too, where they are less than half
MAX_LINE_LENGTH = 1_000_000  # characters; a longer line is no row of a table
MAX_LINES_IN_ROW = 1000  # of a quoted field; more means that its quotation mark was never closed
LONG_ROW_LINES = 10  # a row of more lines is mentioned: it may have swallowed others
_NAMED_FAULTS = 3  # in a message


@dataclass(frozen=True, slots=True)
class DelimitedRow:
    """One row: the line on which it starts, counted from 1, and its fields."""

    line: int
    fields: list[str]
    lines: int = 1


@dataclass(slots=True)
class DelimitedRows:
    """The rows of a table, its faulty lines with what is wrong in them, and how many rows had plain quotes."""

    rows: list[DelimitedRow] = field(default_factory=list)
    faults: dict[int, str] = field(default_factory=dict)
    plain_quotes: list[int] = field(default_factory=list)  # lines whose quotation marks are characters of the text


@dataclass(frozen=True, slots=True)
class DelimitedTable:
    """Columns of strings, the line on which each row starts, notes on how the table was read, and its encoding."""

    columns: dict[str, list[str]]
    lines: list[int]
    notes: list[str]
    encoding: str = "utf-8"


def read_delimited(content: bytes, name: str, encoding: str | None = None) -> DelimitedTable:
    """The columns of a delimited table. `name` is for messages. Raises DataError where too many rows are faulty.

    read_delimited(b"file_name,caption\\n1.png,a dog\\n", "t.csv").columns  →  {"file_name": ["1.png"], …}
    """
    text, encoding = decode_text(content, encoding)
    lines = list(io.StringIO(text, newline=""))
    _check_lines(lines, name)
    said = _excels_delimiter(lines)
    limit = csv.field_size_limit(MAX_LINE_LENGTH * MAX_LINES_IN_ROW)  # the usual 131,072 would split a long caption
    try:
        delimiter = said or _find_delimiter(text)
        found = _read_rows(lines, delimiter, first=1 if said else 0)
    finally:
        csv.field_size_limit(limit)
    if not found.rows:
        return DelimitedTable({}, [], [])
    header = [cell.strip() for cell in found.rows[0].fields]
    notes = []
    if any(has_image_extension(cell) for cell in header):
        header = [""] * _width_without_header(found.rows)
        notes.append("no header line, columns are numbered")
    else:
        del found.rows[0]
    names = _unique_names(header)
    if _ends_in_text(names):
        notes += _join_last_column(found, lines, delimiter, names)
    rows = _straight(found, len(names))
    notes += [*_plain_quotes_note(found), *_long_rows_note(rows), *_faults_note(found, len(rows), name)]
    columns = {column: [row.fields[place] for row in rows] for place, column in enumerate(names)}
    return DelimitedTable(columns, [row.line for row in rows], notes, encoding)


def _excels_delimiter(lines: Sequence[str]) -> str | None:
    """The delimiter that Excel's own first line names, `sep=;`, if there is such a line."""
    first = lines[0].rstrip("\r\n").strip('"') if lines else ""
    return first[4:] if first.lower().startswith("sep=") and len(first) == len("sep=;") else None


def _width_without_header(rows: Sequence[DelimitedRow]) -> int:
    """The fields of a row: two where the first is always an image and commas in the second make the number vary."""
    widths = {len(row.fields) for row in rows}
    if len(widths) > 1 and min(widths) >= 2 and all(has_image_extension(row.fields[0].strip()) for row in rows):
        return 2
    return len(rows[0].fields)


def _ends_in_text(names: Sequence[str]) -> bool:
    """Whether the last column holds captions, so that what is too much in a row belongs to it."""
    last = plain_name(names[-1])
    return last in CAPTION_NAMES or (len(names) == 2 and last not in IMAGE_NAMES)


def _join_last_column(found: DelimitedRows, lines: Sequence[str], delimiter: str, names: Sequence[str]) -> list[str]:
    """Give the last column all that is too much in a row without quotation marks; a line that says so."""
    width, joined = len(names), []
    for place, row in enumerate(found.rows):
        line = lines[row.line - 1].rstrip("\r\n")
        if len(row.fields) <= width or row.lines > 1 or '"' in line or not any(row.fields[width:]):
            continue
        fields = [cell.lstrip(" ") for cell in line.split(delimiter, width - 1)]
        found.rows[place] = DelimitedRow(row.line, fields)
        joined.append(row.line)
    if not joined:
        return []
    said = f'"{delimiter}" without quotation marks taken as part of "{names[-1]}"'
    return [f"{said} in {counted(len(joined), 'row')}, first on line {joined[0]}"]


def _check_lines(lines: Sequence[str], name: str) -> None:
    for number, line in enumerate(lines, start=1):
        if len(line) > MAX_LINE_LENGTH:
            raise DataError(
                f"{name}, line {number}: {len(line):,} characters without a line break, more than the limit of"
                f" {MAX_LINE_LENGTH:,}: this is no table of delimited text."
            )


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


def _read_rows(lines: Sequence[str], delimiter: str, first: int = 0) -> DelimitedRows:
    found = DelimitedRows()
    start = first
    while start < len(lines):
        for row in _parse(lines, start, delimiter):
            if row.lines > 1 and _swallows_rows(lines, row, delimiter):
                break
            if any(cell.strip() for cell in row.fields):
                found.rows.append(row)
            start = row.line - 1 + row.lines
        if start < len(lines):  # the line there begins no whole row
            _take_faulty_line(found, lines, start, delimiter)
            start += 1
    return found


def _parse(lines: Sequence[str], start: int, delimiter: str) -> Iterator[DelimitedRow]:
    """Rows from the line numbered `start` from 0 on, up to the end or the first that is not well formed."""
    before = 0  # lines read in whole rows

    def feed() -> Iterator[str]:
        for number in range(start, len(lines)):
            if number - start - before >= MAX_LINES_IN_ROW:
                return  # within a field: the csv module calls that an unexpected end
            yield lines[number]

    reader = csv.reader(feed(), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        for fields in reader:
            yield DelimitedRow(start + before + 1, fields, reader.line_num - before)
            before = reader.line_num
    except csv.Error:  # a mark that is never closed, or one that is followed by more text
        return


def _split(line: str, delimiter: str) -> list[str]:
    """The fields of one line, its quotation marks being characters like any other."""
    return [cell.lstrip(" ") for cell in line.rstrip("\r\n").split(delimiter)]


def _swallows_rows(lines: Sequence[str], row: DelimitedRow, delimiter: str) -> bool:
    """Whether a row of several lines holds lines that are rows: as many fields, and an image at the same place."""
    first, *further = (_split(line, delimiter) for line in lines[row.line - 1 : row.line - 1 + row.lines])
    places = [place for place, cell in enumerate(first) if has_image_extension(cell.strip(' "'))]
    return any(
        len(fields) == len(row.fields) and any(has_image_extension(fields[place].strip(' "')) for place in places)
        for fields in further
        if all(place < len(fields) for place in places)
    )


def _take_faulty_line(found: DelimitedRows, lines: Sequence[str], start: int, delimiter: str) -> None:
    """Read a line that is not well formed as plain text where its quotation marks pair up, else call it faulty."""
    fields = _split(lines[start], delimiter)
    if any(cell.count('"') % 2 for cell in fields):
        found.faults[start + 1] = "a quotation mark is not closed"
    elif found.rows and len(fields) != len(found.rows[0].fields):
        found.faults[start + 1] = f"{len(fields)} fields where the first line has {len(found.rows[0].fields)}"
    else:
        found.rows.append(DelimitedRow(start + 1, fields))
        found.plain_quotes.append(start + 1)


def _unique_names(header: list[str]) -> list[str]:
    names: list[str] = []
    for place, name in enumerate(header, start=1):
        names.append(name if name and name not in names else f"column {place}")
    return names


def _straight(found: DelimitedRows, width: int) -> list[DelimitedRow]:
    """The rows with a field for each column; the others are added to the faults."""
    straight: list[DelimitedRow] = []
    for row in found.rows:
        if len(row.fields) >= width and not any(row.fields[width:]):
            straight.append(row)
        else:
            found.faults[row.line] = f"{len(row.fields)} fields where the first line has {width}"
    return straight


def _plain_quotes_note(found: DelimitedRows) -> list[str]:
    if not found.plain_quotes:
        return []
    return [
        f"quotation marks taken as plain characters in {counted(len(found.plain_quotes), 'row')}, first on line"
        f" {found.plain_quotes[0]}"
    ]


def _long_rows_note(rows: Sequence[DelimitedRow]) -> list[str]:
    longest = max(rows, key=lambda row: row.lines, default=None)
    if longest is None or longest.lines <= LONG_ROW_LINES:
        return []
    return [f"one row holds lines {longest.line} to {longest.line + longest.lines - 1}: look at its quotation marks"]


def _faults_note(found: DelimitedRows, whole: int, name: str) -> list[str]:
    faults = sorted(found.faults.items())
    if not faults:
        return []
    total = whole + len(faults)
    line, what = faults[0]
    if len(faults) > MAX_FAULTY_SHARE * total and (len(faults) > FEW_FAULTY_ROWS or 2 * len(faults) >= total):
        raise DataError(
            f"{name}, line {line}: {what} ({len(faults):,} of {total:,} rows are faulty).\n"
            "  A caption that holds the delimiter or a line break must stand in double quotes."
        )
    named = "; ".join(f"line {line}, {what}" for line, what in faults[:_NAMED_FAULTS])
    more = " …" if len(faults) > _NAMED_FAULTS else ""
    return [f"{len(faults):,} of {counted(total, 'row')} left out as faulty: {named}{more}"]
