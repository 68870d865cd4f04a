"""How to say labels: the names that each is called by, and what it looks like.

A label such as "n02012849" or "crane" may be said as "crane bird", or described: "crane, which has long legs". The
prompts of all names or descriptions of a label are averaged, as those of all templates are. Descriptions are put into
words as by Menon and Vondrick (2023).
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from lexel.data.readers.tables.table import READERS, read_table
from lexel.errors import DataError, UsageError

LABEL_COLUMN_NAMES = ("label", "class", "class_name")
NAME_COLUMN_NAMES = ("names", "name", "synonyms", "synonym")
DESCRIPTION_COLUMN_NAMES = ("descriptions", "description", "descriptors", "descriptor")
FIELDS = {"names", "descriptions"}
# How a description begins that goes on a sentence with "which" or with "which is"; others go on with "which has".
AFTER_WHICH = ("has", "have", "is", "are", "often", "typically", "usually", "may", "can", "looks", "lives", "with")
AFTER_WHICH_IS = ("a", "an", "used", "made")


@dataclass(frozen=True, slots=True)
class LabelWords:
    """What a label is called, and perhaps what it looks like."""

    names: tuple[str, ...]
    descriptions: tuple[str, ...] = ()

    @property
    def phrases(self) -> list[str]:
        """What is put into a template: each name or, where there are descriptions, each name with each of them."""
        if not self.descriptions:
            return list(self.names)
        return [described(name, description) for name in self.names for description in self.descriptions]


Wording = Mapping[str, LabelWords]
WordingLike = Mapping[str, Any] | str | Path


def described(name: str, description: str) -> str:
    """The name with a description: "crane, which has long legs"."""
    text = description.strip().rstrip(".")
    first = re.split(r"[\s,]", text.lower(), maxsplit=1)[0]
    if first == "which":
        return f"{name}, {text}"
    if first == "with":
        return f"{name} {text}"
    if first in AFTER_WHICH:
        return f"{name}, which {text}"
    return f"{name}, which {'is' if first in AFTER_WHICH_IS else 'has'} {text}"


def read_wording(wanted: WordingLike) -> Wording:
    """How each label is said: a mapping, or the file that holds it.

    A JSON file is an object with the labels as its fields. Each holds `{"names": […], "descriptions": […]}`, either of
    which may be missing; or one name; or a list of descriptions, as published files do. A table (CSV, TSV, JSON lines,
    Parquet) has a `label` column, and `names` or `descriptions` or both, several in one cell with semicolons between,
    or in several rows. Raises UsageError for a file that is not there, DataError for one that holds something else.
    """
    if isinstance(wanted, Mapping):
        found, place = (
            {str(label): _words(label, value, "The wording") for label, value in wanted.items()},
            "The wording",
        )
    else:
        path = Path(wanted).expanduser()
        found, place = _from_file(path), str(path)
    if not found:
        raise DataError(f"{place} names no labels.")
    return found


def _from_file(path: Path) -> dict[str, LabelWords]:
    if not path.is_file():
        raise UsageError(f"There is no wording file {path}.")
    if path.suffix.lower() == ".json":
        try:
            value = json.loads(path.read_text(encoding="utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path} is not JSON: {error}") from None
        if not isinstance(value, dict):
            raise DataError(f'{path} is no object with labels as its fields: {{"crane": {{"names": ["crane bird"]}}}}.')
        return {label: _words(label, words, str(path)) for label, words in value.items()}
    if path.suffix.lower() not in READERS or path.suffix.lower() == ".txt":
        raise UsageError(f"{path} is no wording file. Give a .json file, or a table: .csv, .tsv, .jsonl, .parquet.")
    return _from_table(path)


def _words(label: str, value: Any, place: str) -> LabelWords:
    match value:
        case LabelWords():
            return value
        case str():
            names, descriptions = [value], []
        case list() | tuple():
            names, descriptions = [label], value
        case dict() if value and value.keys() <= FIELDS:
            names, descriptions = value.get("names", [label]), value.get("descriptions", [])
        case _:
            names, descriptions = (), None  # refused below
    names = [names] if isinstance(names, str) else names
    descriptions = [descriptions] if isinstance(descriptions, str) else descriptions
    if not _is_texts(names) or not _is_texts(descriptions):
        raise DataError(
            f'{place}: the words for "{label}" are neither {{"names": […], "descriptions": […]}}, nor a name, nor a '
            "list of descriptions."
        )
    return LabelWords(_distinct(names) or (label,), _distinct(descriptions))


def _is_texts(value: Any) -> TypeGuard[Sequence[str]]:
    return isinstance(value, list | tuple) and all(isinstance(text, str) for text in value)


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.strip() for text in texts if text.strip()))


def _from_table(path: Path) -> dict[str, LabelWords]:
    columns = read_table(path).columns
    labels = _column(columns, LABEL_COLUMN_NAMES)
    names, descriptions = _column(columns, NAME_COLUMN_NAMES), _column(columns, DESCRIPTION_COLUMN_NAMES)
    if labels is None or (names is None and descriptions is None):
        raise DataError(
            f"{path} has the columns {', '.join(columns)}. It needs a label column, and names or descriptions or both."
        )
    called: dict[str, list[str]] = {}
    looks: dict[str, list[str]] = {}
    for row, value in enumerate(labels):
        label = "" if value is None else str(value).strip()
        if label:
            called.setdefault(label, []).extend(_cell_texts(names[row]) if names else ())
            looks.setdefault(label, []).extend(_cell_texts(descriptions[row]) if descriptions else ())
    return {label: LabelWords(_distinct(called[label]) or (label,), _distinct(looks[label])) for label in called}


def _column(columns: Mapping[str, list[Any]], names: Sequence[str]) -> list[Any] | None:
    plain = {name.strip().lower().replace(" ", "_"): values for name, values in columns.items()}
    return next((plain[name] for name in names if name in plain), None)


def _cell_texts(cell: Any) -> list[str]:
    if cell is None:
        return []
    return [str(text) for text in cell] if isinstance(cell, list) else str(cell).split(";")
