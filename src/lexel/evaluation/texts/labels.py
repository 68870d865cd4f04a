"""Lists of labels as people write them: after an option, in a text file, or in a column of a table."""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from lexel.data.readers.paths import has_image_extension
from lexel.data.readers.tables.columns import LABEL_NAMES
from lexel.data.readers.tables.table import READERS, read_table
from lexel.errors import UsageError
from lexel.terminal import counted

LABEL_COLUMNS = (*LABEL_NAMES, "name", "names", "phrase", "phrases")
TABLE_SUFFIXES = frozenset(READERS) - {".txt", ".json"}  # files in which a column may hold labels
FILE_SUFFIXES = frozenset({*READERS, ".toml", ".yaml", ".yml", ".xlsx", ".xls", ".ods", ".docx", ".pdf"})


def read_labels(text: str) -> list[str]:
    """The labels that a user gives: a list with commas between, or the name of a file.

    In a list, semicolons separate where there is no comma, and a label that holds a separator stands in double quotes:
    `read_labels('"Paris, France",Rome')` is `["Paris, France", "Rome"]`. A `.txt` file has a label a line; of a table
    (CSV, TSV, JSON lines, Parquet) the label column is taken, or the only column, each label once. Text that looks like
    a file, because it has a known suffix or is one path, is never taken for a label. Raises UsageError for a file that
    is not there, an empty list, a label given twice, or loose quotes; DataError for a damaged table.
    """
    if names_file(text):
        labels = _labels_in_file(Path(text.strip()).expanduser())
        where = f"The label file {text.strip()}"
    else:
        labels = _labels_in_list(text)
        where = f'"{text}"'
    if not labels:
        raise UsageError(f"{where} holds no labels. Give them as cat,dog or as a .txt file with one a line.")
    check_labels(labels)
    return labels


def names_file(text: str) -> bool:
    """Whether this is the name of a file, there or not, rather than something in words."""
    text = text.strip()
    if not text or '"' in text or "\n" in text:
        return False
    path = Path(text).expanduser()
    if _has_known_suffix(text):
        return not any(separator in text for separator in ",;") or _is_file(path)
    return "/" in text and ((not any(separator in text for separator in ",; ")) or _is_file(path))


def check_labels(labels: Sequence[str]) -> None:
    """Raise UsageError when there are no labels, or one is empty or there twice."""
    if isinstance(labels, str):
        raise UsageError(f'The labels must be a list; got the one text "{labels}".')
    if not labels:
        raise UsageError("No labels were given: there is nothing to choose between.")
    empty = sum(isinstance(label, str) and not label.strip() for label in labels)
    if empty:
        raise UsageError(
            f"Empty: {empty:,} of {counted(len(labels), 'label')}. An empty one says nothing that could fit."
        )
    twice = [label for label, count in Counter(labels).items() if count > 1]
    if twice:
        raise UsageError(f"Labels given more than once: {', '.join(twice)}. Each may stand in the list only once.")


def _labels_in_list(text: str) -> list[str]:
    lines = text.splitlines()
    separator = "," if "," in text or ";" not in text else ";"
    try:
        rows = list(csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True))
    except csv.Error:
        raise UsageError(
            f"The double quotes in {text} do not close round a whole label.\n"
            'Quote a label as a whole, and double a quote inside it: "24"" screen, black",phone'
        ) from None
    labels = [label.strip() for row in rows for label in row if label.strip()]
    for label in labels:
        if '"' not in text and _has_known_suffix(label):
            raise UsageError(f'"{label}" among the labels looks like a file. Give one file alone, or only labels.')
    return labels


def _labels_in_file(path: Path) -> list[str]:
    if path.is_dir():
        raise UsageError(f"{path} is a folder. Give labels as cat,dog or as a .txt file with one a line.")
    if not path.is_file():
        raise UsageError(f"There is no label file {path}. If it is a label itself, put quotes inside: '\"{path}\"'")
    suffix = path.suffix.lower()
    if suffix in TABLE_SUFFIXES:
        return _labels_in_table(path)
    if (suffix in FILE_SUFFIXES and suffix != ".txt") or has_image_extension(path.name):
        raise UsageError(f"{path} is no list of labels. Give a .txt file with one a line, or a table: .csv, .parquet …")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UsageError(f"The label file {path} is not UTF-8 text.") from None
    return [line.strip() for line in lines if line.strip()]


def _labels_in_table(path: Path) -> list[str]:
    """The label column's values, each once; a single column may lack a header."""
    columns = read_table(path).columns
    plain = {name.strip().lower().replace(" ", "_").replace("-", "_"): name for name in reversed(columns)}
    chosen = next((plain[name] for name in LABEL_COLUMNS if name in plain), None)
    if chosen is not None:
        values = columns[chosen]
    elif len(columns) == 1:
        (name, values), *_ = columns.items()
        values = [name, *values] if path.suffix.lower() in (".csv", ".tsv") else values
    else:
        raise UsageError(f"{path} has no label column. It has: {', '.join(columns)}. Call one of them label.")
    wrong = next((value for value in values if value is not None and not isinstance(value, str)), None)
    if wrong is not None:
        raise UsageError(f'{path}: "{chosen or next(iter(columns))}" holds {wrong!r}, which is no text for a label.')
    return list(dict.fromkeys(value.strip() for value in values if value is not None and value.strip()))


def _has_known_suffix(name: str) -> bool:
    return Path(name).suffix.lower() in FILE_SUFFIXES or has_image_extension(name)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long for a file
        return False
