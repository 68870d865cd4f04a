"""Texts to be embedded: the lines of a file, or a column of a table with its other columns beside it."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from lexel.bulk.items import TextRow, TextSource
from lexel.data.readers.tables.caption_columns import check_column
from lexel.data.readers.tables.columns import is_embedded
from lexel.data.readers.tables.table import READERS, Table, read_table
from lexel.data.readers.tables.values import NotTextError, captions_in
from lexel.data.readers.text import decode_text
from lexel.errors import DataError, UsageError
from lexel.terminal import counted

MAX_TEXT_FILE_BYTES = 4 << 30
LINE_END = re.compile(r"\r\n|\r|\n")  # unlike `splitlines`, which also cuts a text at form feeds and U+2028


def read_texts(given: str, source: str | None) -> TextSource:
    """The texts that `--texts` names: a column of the table `source` or, without that, a file with one text a line.

    Raises UsageError for what is not there, DataError for a value that is no text.

        read_texts("queries.txt", None)    read_texts("title", "shop.csv")
    """
    if source is None:
        return _lines(given)
    path = Path(source).expanduser()
    if path.suffix.lower() not in READERS or not path.is_file():
        raise UsageError(
            f"--texts {given} is meant as a column, and {source} is no table. Tables end in {', '.join(READERS)}.\n"
            f"  A file with one text a line is given alone: lexel embed MODEL --texts {given} -o OUT.parquet"
        )
    table = read_table(path)
    column = check_column(given, list(table.columns), str(path), "texts")
    missing: Counter[str] = Counter()
    rows = list(_rows(table, column, missing))
    words = f" ({', '.join(missing)})" if missing else ""
    empty = sum(row.text is None for row in rows)
    without = [f"{counted(empty, 'row has', 'rows have')} no text{words}"] if empty else []
    notes = (f'{path.name}: texts from "{column}"', *without)
    return TextSource(f"{source}:{column}", rows, (*notes, *(f"{path.name}: {note}" for note in table.notes)))


def _lines(given: str) -> TextSource:
    path = Path(given).expanduser()
    if not path.is_file():
        raise UsageError(
            f"There is no file {given} with a text on each line. For a column of a table name the table too:\n"
            f"  lexel embed MODEL TABLE.csv --texts {given} -o OUT.parquet"
        )
    if path.suffix.lower() in READERS and path.suffix.lower() != ".txt":
        raise UsageError(
            f"{given} is a table. Name the column that holds the texts:\n"
            f"  lexel embed MODEL {given} --texts COLUMN -o OUT.parquet"
        )
    if path.stat().st_size > MAX_TEXT_FILE_BYTES:
        raise DataError(f"{path} has more than {MAX_TEXT_FILE_BYTES:,} bytes. Split it, or convert it to Parquet.")
    text, _ = decode_text(path.read_bytes())
    lines = enumerate(LINE_END.split(text), start=1)
    rows = [TextRow(str(number), line.strip()) for number, line in lines if line.strip()]
    if not rows:
        raise DataError(f"{path} holds no text: every line is empty.")
    return TextSource(given, rows)


def _rows(table: Table, column: str, missing: Counter[str]) -> Iterator[TextRow]:
    others = [name for name, values in table.columns.items() if name != column and not any(map(is_embedded, values))]
    for number, value in enumerate(table.columns[column]):
        try:
            texts = captions_in(value, missing, typed=table.typed)
        except NotTextError as error:
            raise DataError(
                f'{table.place(number)}: the value of "{column}" is {error}.\n  Name a column of texts: --texts COLUMN'
            ) from None
        extras = {name: table.columns[name][number] for name in others} or None
        if len(texts) <= 1:
            yield TextRow(str(number + 1), texts[0] if texts else None, extras)
        else:
            yield from (TextRow(f"{number + 1}/{place}", text, extras) for place, text in enumerate(texts, start=1))
