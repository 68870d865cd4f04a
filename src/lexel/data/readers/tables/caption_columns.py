"""Where the captions of a row come from: a column, several columns, or templates such as "{colour} {title}".

Several may have weights, which say how often training draws a caption of each.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

from lexel.data.readers.tables.values import NotTextError, describe, is_missing_word
from lexel.errors import UsageError, did_you_mean

# As a user names them: a column, a template, several of these, or several with their weights.
Captions = str | Sequence[str] | Mapping[str, float] | None


@dataclass(frozen=True, slots=True)
class Template:
    """A caption with the names of columns in braces."""

    text: str
    parts: tuple[tuple[str, str | None], ...]  # literal text, then the column whose value follows it

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(column for _, column in self.parts if column is not None)

    def fill(self, values: dict[str, Any]) -> str | None:
        """The caption of a row, None where one of its values is missing. Raises NotTextError.

        "A {colour} shoe" without a colour would teach that shoes are "A shoe": such a row gets no caption of this
        template.
        """
        said = [literal if column is None else literal + _written(values[column]) for literal, column in self.parts]
        if any(not _written(values[column]) for column in self.columns):
            return None
        return " ".join("".join(said).split())


@dataclass(frozen=True, slots=True)
class CaptionColumns:
    """The columns and the templates that captions come from, in the order in which the user gave them."""

    rules: tuple[str | Template, ...]
    weights: tuple[float, ...] = ()  # of each rule; none: each caption is as likely

    @property
    def columns(self) -> list[str]:
        """All columns that are read."""
        named = [rule.columns if isinstance(rule, Template) else (rule,) for rule in self.rules]
        return list(dict.fromkeys(column for columns in named for column in columns))

    def weigh(self, origins: Sequence[int]) -> tuple[float, ...]:
        """The weight of each caption, given the numbers of the rules that they are of; none without weights.

        A rule's captions share its weight, and the weight of a rule that gave none falls to the others.
        """
        count = Counter(origins)
        return tuple(self.weights[rule] / count[rule] for rule in origins) if self.weights else ()

    def __str__(self) -> str:
        names = [f'the template "{r.text}"' if isinstance(r, Template) else f'"{r}"' for r in self.rules]
        if self.weights:
            total = sum(self.weights)
            names = [f"{name} ({weight / total:.3g})" for name, weight in zip(names, self.weights, strict=True)]
        return ", ".join(names)


def caption_columns(given: Captions, columns: Sequence[str], table: str) -> CaptionColumns | None:
    """What the user named, checked against the table's columns; None for nothing. Raises UsageError.

    A text with braces is a template, unless a column has that very name.

        caption_columns("{colour} {title}", ["file", "colour", "title"], "shop.csv").columns  →  ["colour", "title"]
    """
    if given is None:
        return None
    rules = tuple(_rule(one, columns, table) for one in ([given] if isinstance(given, str) else given))
    if not rules:
        raise UsageError(f"{table}: the list of caption columns is empty. It has: {', '.join(columns)}.")
    if not isinstance(given, Mapping):
        return CaptionColumns(rules)
    for name, weight in given.items():
        if not 0 < weight < float("inf"):
            raise UsageError(f'{table}: the weight of the caption "{name}" is {weight:g}; give a number above 0.')
    return CaptionColumns(rules, tuple(map(float, given.values())))


def check_column(name: str, columns: Sequence[str], table: str, role: str) -> str:
    """The name, if the table has such a column. Raises UsageError that lists those it has."""
    if name in columns:
        return name
    raise UsageError(
        f'{table} has no column "{name}" for the {role}.{did_you_mean(name, columns)}\n  It has: {", ".join(columns)}.'
    )


def _rule(given: str, columns: Sequence[str], table: str) -> str | Template:
    if given in columns or "{" not in given:
        return check_column(given, columns, table, "caption")
    try:
        parsed = list(Formatter().parse(given))
    except ValueError as error:
        raise UsageError(
            f'The caption template "{given}" is incomplete: {error}. Write column names in braces.'
        ) from None
    for _, column, form, conversion in parsed:
        if form or conversion or column == "":
            raise UsageError(f'The caption template "{given}" may have only names of columns in braces.')
        if column is not None:
            check_column(column, columns, table, "caption template")
    template = Template(given, tuple((literal, column) for literal, column, _, _ in parsed))
    if not template.columns:
        raise UsageError(f'The caption template "{given}" names no column: every picture would have the same caption.')
    return template


def _written(value: Any) -> str:
    """A value within a template; empty where it is missing. Numbers are taken: "iPhone {generation}"."""
    if value is None or value != value:
        return ""
    if isinstance(value, str):
        return "" if is_missing_word(value) else value.strip()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(int(value)) if float(value).is_integer() else str(value)
    raise NotTextError(describe(value))
