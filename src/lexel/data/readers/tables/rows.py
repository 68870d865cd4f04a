"""From the rows of a table to pairs: rows of the same image are one pair with several captions."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lexel.data.pairs import Pair, Picture
from lexel.data.readers.splits import Reading, split_name
from lexel.data.readers.tables.caption_columns import Template
from lexel.data.readers.tables.columns import Roles, Wanted, choose_columns
from lexel.data.readers.tables.picture_column import KeyedPicture, read_pictures
from lexel.data.readers.tables.table import Table, read_table
from lexel.data.readers.tables.values import (
    MAX_CAPTION_CHARACTERS,
    NotTextError,
    captions_in,
    describe,
    is_embedded,
    label_in,
    weights_in,
)
from lexel.data.readers.text import encoding_note
from lexel.errors import DataError
from lexel.terminal import counted

_NAMED_COLUMNS = 12  # in a note
_NAMED_MISSING = 4  # spellings of missing values in a note


@dataclass(slots=True)
class _Entry:
    picture: Picture
    label: str | None
    captions: list[str] = field(default_factory=list)
    origins: list[int] = field(default_factory=list)  # the rule that each caption is of
    weights: list[float] = field(default_factory=list)  # as the table says them
    extras: dict[str, Any] | None = None


@dataclass(slots=True)
class _ReadRows:
    """A table's rows as they are read, with what is to be said of them."""

    table: Table
    roles: Roles
    others: list[str] | None = None  # columns to be kept as they are; None: none is asked for
    missing_captions: Counter[str] = field(default_factory=Counter)
    missing_labels: Counter[str] = field(default_factory=Counter)
    unfilled: Counter[str] = field(default_factory=Counter)  # templates, by rows without one of their values
    contradictions: int = 0
    cut: list[str] = field(default_factory=list)  # places of captions that are too long

    def captions(self, row: int) -> tuple[list[str], list[int]]:
        """The captions of a row, and which rule each is of. Raises DataError for a value that is no text."""
        captions: list[str] = []
        origins: list[int] = []
        for number, rule in enumerate(self.roles.captions.rules if self.roles.captions else ()):
            try:
                captions += self._of_template(rule, row) if isinstance(rule, Template) else self._of_column(rule, row)
                origins += [number] * (len(captions) - len(origins))
            except NotTextError as error:
                raise DataError(
                    f"{self.table.place(row)}: the caption in {_quoted(rule)} is {error}.\n"
                    "  A caption is a text, an object with the text in a field of it, or a list of these.\n"
                    "  Another column is named by --set data.caption=NAME"
                ) from None
        for number, caption in enumerate(captions):
            if len(caption) > MAX_CAPTION_CHARACTERS:
                captions[number] = caption[:MAX_CAPTION_CHARACTERS]
                self.cut.append(self.table.place(row))
        return captions, origins

    def weights(self, entry: _Entry) -> tuple[float, ...]:
        """How often each caption of a pair is drawn, where the user or the table gives weights."""
        if any(weight != 1 for weight in entry.weights):
            return tuple(entry.weights)
        return self.roles.captions.weigh(entry.origins) if self.roles.captions else ()

    def said_weights(self, row: int, captions: int) -> list[float]:
        """The weights that the table has beside so many captions of a row. Raises DataError."""
        if self.roles.weights is None:
            return []
        value = self.table.columns[self.roles.weights][row]
        weights = weights_in(value, captions, typed=self.table.typed)
        if weights is None:
            raise DataError(
                f'{self.table.place(row)}: "{self.roles.weights}" is {describe(value)}.\n'
                f"  It has to be a list with a number above 0 for each of the row's captions, {captions:,} here."
            )
        return list(weights) or [1.0] * captions

    def label(self, row: int) -> str | None:
        return self._name(self.roles.label, row, self.missing_labels)

    def split(self, row: int) -> str | None:
        name = self._name(self.roles.split, row, Counter())
        return split_name(name) if name else None

    def extras(self, row: int) -> dict[str, Any] | None:
        """The values of the other columns."""
        if self.others is None:
            return None
        return {column: self.table.columns[column][row] for column in self.others}

    def notes(self) -> list[str]:
        """What was left out."""
        notes = [
            f"{counted(count, 'row has', 'rows have')} no caption by the template {text}"
            for text, count in self.unfilled.items()
        ]
        for what, missing in (("captions", self.missing_captions), ("labels", self.missing_labels)):
            if missing:
                named = ", ".join(f'"{word}" {count:,}' for word, count in missing.most_common(_NAMED_MISSING))
                notes.append(f"{missing.total():,} {what} left out as missing values: {named}")
        if self.cut:
            longer = counted(len(self.cut), "caption is", "captions are")
            where = self.cut[0].removeprefix(f"{self.table.path}, ")
            notes.append(f"{longer} over {MAX_CAPTION_CHARACTERS:,} characters and cut there, the first in {where}")
        if self.contradictions:
            notes.append(
                f"{counted(self.contradictions, 'row gives', 'rows give')} an image another label than its first row, "
                "which is kept"
            )
        return notes

    def _of_column(self, column: str, row: int) -> list[str]:
        return captions_in(self.table.columns[column][row], self.missing_captions, typed=self.table.typed)

    def _of_template(self, template: Template, row: int) -> list[str]:
        text = template.fill({column: self.table.columns[column][row] for column in template.columns})
        if text is None:
            self.unfilled[_quoted(template)] += 1
        return [text] if text else []

    def _name(self, column: str | None, row: int, missing: Counter[str]) -> str | None:
        if column is None:
            return None
        try:
            return label_in(self.table.columns[column][row], missing)
        except NotTextError as error:
            raise DataError(
                f'{self.table.place(row)}: the value of "{column}" is {error}.\n'
                "  A label is a name or the number of a class; another column is named by --set data.label=NAME"
            ) from None


def read_table_pairs(path: Path, wanted: Wanted) -> Reading:
    """The pairs that a table lists, in its order; image paths are relative to the table.

    Raises UsageError where its columns cannot be told, DataError where it is damaged or a caption is no text.

        read_table_pairs(Path("shop.csv"), Wanted(caption="{colour} {title}")).pairs[0].captions  →  ("red mug",)
    """
    table = read_table(path, wanted.encoding)
    roles = choose_columns(table, wanted)
    pictures, notes = read_pictures(table, roles.image)
    rows = _ReadRows(table, roles, _others(table, roles) if wanted.keep_others else None)
    entries = _merge(rows, pictures)
    written = encoding_note(table.encoding, [caption for entry in entries.values() for caption in entry.captions])
    said = (str(roles), *written, *table.notes, *notes, *rows.notes(), *_others_note(rows))
    reading = Reading(notes=[f"{path.name}: {note}" for note in said])
    for (key, split), entry in entries.items():
        captions = tuple(entry.captions)
        reading.pairs.append(Pair(key, entry.picture, captions, entry.label, entry.extras, rows.weights(entry)))
        reading.splits.append(split)
    return reading


def _merge(rows: _ReadRows, pictures: list[KeyedPicture | None]) -> dict[tuple[str, str | None], _Entry]:
    entries: dict[tuple[str, str | None], _Entry] = {}
    for row, found in enumerate(pictures):
        if found is None:
            continue
        label = rows.label(row)
        place = (found.key, rows.split(row))
        entry = entries.get(place)
        if entry is None:
            entry = entries[place] = _Entry(found.picture, label, extras=rows.extras(row))
        entry.label = entry.label or label
        rows.contradictions += int(label is not None and label != entry.label)
        captions, origins = rows.captions(row)
        entry.captions += captions
        entry.origins += origins
        entry.weights += rows.said_weights(row, len(captions))
    return entries


def _others(table: Table, roles: Roles) -> list[str]:
    """The columns that are kept as they are: the split too, which a Pair does not say, but no second picture."""
    names = [*roles.untaken(table), *([roles.split] if roles.split else [])]
    kept = [column for column in table.columns if column in names]
    return [column for column in kept if not any(map(is_embedded, table.columns[column]))]


def _others_note(rows: _ReadRows) -> list[str]:
    untaken = rows.roles.untaken(rows.table) if rows.others is None else rows.others
    if not untaken:
        return []
    more = f" and {len(untaken) - _NAMED_COLUMNS:,} more" if len(untaken) > _NAMED_COLUMNS else ""
    said = "columns not taken" if rows.others is None else "columns kept as they are"
    return [f"{said}: {', '.join(untaken[:_NAMED_COLUMNS])}{more}"]


def _quoted(rule: Any) -> str:
    return f'"{rule.text if isinstance(rule, Template) else rule}"'
