"""Texts in several languages: a column a language beside the captions, or a table of sentences without pictures."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from lexel.data.pairs import Pair, Source
from lexel.data.readers.tables.columns import sentence_column
from lexel.data.readers.tables.table import READERS, Table, read_table
from lexel.data.readers.tables.values import NotTextError, captions_in
from lexel.errors import BadImageError, DataError, UsageError

ENGLISH = "en"  # of the captions themselves, where no column is called so


@dataclass(frozen=True, slots=True)
class NoPicture:
    """In the place of a picture that a sentence does not have."""

    def load(self) -> Image.Image:
        raise BadImageError("a sentence has no picture")


def has_pictures(source: Source) -> bool:
    """Whether it is more than sentences."""
    return not isinstance(source.pairs[0].picture, NoPicture)


def language_column(columns: Iterable[str], language: str) -> str | None:
    """The column of a language, by its own name or by a code at the end of one: `de`, `captions_de`, `caption-de`.

    Raises UsageError where a code fits several.
    """
    return _language_column(tuple(columns), language)


@lru_cache(maxsize=1024)  # asked for every row of a table
def _language_column(columns: tuple[str, ...], language: str) -> str | None:
    if language in columns:
        return language
    ending = language.lower()
    found = [column for column in columns if column.lower().replace("-", "_").endswith(f"_{ending}")]
    if len(found) > 1:
        raise UsageError(f'The language "{language}" may be the column {" or ".join(found)}: name the column itself.')
    return found[0] if found else next((column for column in columns if column.lower() == ending), None)


def texts_of(pair: Pair, language: str) -> tuple[str, ...]:
    """What is said of the picture in a language, or of the English sentence; nothing where it is missing."""
    extras = pair.extras or {}
    if language == ENGLISH and pair.captions and ENGLISH not in extras:
        return pair.captions
    column = language_column(extras, language)
    return () if column is None else _texts(extras[column], f"{pair.key}: {column}")


def columns_beside(pairs: Iterable[Pair]) -> str:
    """The columns that the pairs have beside their captions, for a message."""
    return ", ".join(dict.fromkeys(column for pair in pairs for column in pair.extras or {})) or "none"


def check_languages(source: Source, languages: Sequence[str]) -> None:
    """Raise UsageError for the first language of which the source has no text at all, naming those that it has."""
    for language in languages:
        if any(texts_of(pair, language) for pair in source.pairs):
            continue
        raise UsageError(
            f"{source.name} has no captions in the language {language}.\n"
            f"  Beside the captions it has the columns: {columns_beside(source.pairs)}."
        )


def read_sentences(path: Path, english: str | None, encoding: str | None) -> Source | None:
    """The rows of a table without pictures: the sentence that the teacher embeds as the caption, the rest as extras.

    None for what is no table file, or has pictures. Raises UsageError where the English column cannot be told.
    """
    if path.suffix.lower() not in READERS or not path.is_file():
        return None
    table = read_table(path, encoding)
    column = sentence_column(table, english)
    if column is None:
        return None
    others = [name for name in table.columns if name != column]
    pairs = [
        Pair(f"{path.name}:{row + 1}", NoPicture(), _texts(table.columns[column][row], table.place(row)), None, extras)
        for row, extras in enumerate(_rows(table, others))
    ]
    kept = [pair for pair in pairs if pair.captions]
    notes = [f'{path.name}: sentences without pictures, English from "{column}"']
    notes += [f"{path.name}: left out {len(pairs) - len(kept):,} rows without it"] if len(kept) < len(pairs) else []
    if not kept:
        raise DataError(f'{path} has no sentence in "{column}".')
    return Source(str(path), kept, tuple(notes))


def _rows(table: Table, columns: Sequence[str]) -> Iterable[Mapping[str, Any]]:
    return ({name: table.columns[name][row] for name in columns} for row in range(len(table)))


def _texts(value: Any, where: str) -> tuple[str, ...]:
    try:
        return tuple(captions_in(value, Counter(), typed=False))
    except NotTextError as error:
        raise DataError(f"{where} is {error}, and not a text or a list of texts.") from None
