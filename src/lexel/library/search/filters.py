"""Filters over a library's metadata: an SQL condition that may read the view `photos` and nothing else.

What a user writes is compiled by SQLite on an empty database of the same columns, under an authorizer that allows
reading that view and plain functions. It is never executed before it has passed, and then within a budget of time and
size. What stands in double quotes is a column: SQLite would take it for a text where there is no such column.
"""

import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from lexel.errors import UsageError, did_you_mean
from lexel.library.store.database.budget import QueryRefusedError, as_refusal, set_budget
from lexel.library.store.database.paths import absolute, readable
from lexel.library.store.records import Records

PHOTO_COLUMNS = (
    "id", "path", "folder", "name", "size", "width", "height", "taken", "latitude", "longitude", "camera", "caption",
    "tags", "orientation", "added", "keywords", "description",
)  # fmt: skip
ALLOWED_FUNCTIONS = {
    "abs", "coalesce", "date", "datetime", "glob", "ifnull", "iif", "instr", "json_array_length", "json_extract",
    "julianday", "length", "like", "lower", "ltrim", "max", "min", "nullif", "replace", "round", "rtrim", "strftime",
    "substr", "substring", "time", "trim", "upper",
}  # fmt: skip
MAX_SHOWN_CHARACTERS = 200  # of a condition that is refused
# A text, a comment, or the name of a column; the first two only so that they are not taken for the last.
_QUOTED = re.compile(
    r"""'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/|`(?:[^`]|``)*`|\[[^\]]*\]|"(?P<column>(?:[^"]|"")*)\"""", re.DOTALL
)
DAY_PATTERN = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
Orientation = Literal["landscape", "portrait", "square"]


@dataclass(frozen=True)
class Filter:
    """Which photos are searched. All conditions that are given must hold."""

    where: str | None = None  # SQL over the columns of `photos`, such as "width > 1000 AND camera LIKE 'Canon%'"
    folder: str | Path | None = None  # and all below it
    after: str | None = None  # the first day: 2024, 2024-05 or 2024-05-31; photos without a date are left out
    before: str | None = None  # the day after the last
    orientation: Orientation | None = None
    tag: str | None = None
    least_side: int | None = None  # pixels, of the shorter side

    def ids(self, records: Records) -> np.ndarray | None:
        """The photos that pass, ids (N,) int64 ascending; None when nothing is asked. Raises UsageError."""
        condition, values = self._condition(records)
        return self._found(records, condition, values, "ORDER BY id") if condition else None

    def newest(self, records: Records, count: int) -> np.ndarray:
        """The newest `count` of the photos that pass, ids (N,) int64; those without a date are last. Raises UsageError.

        SQLite sorts them and gives no more than these, however many pass.
        """
        condition, values = self._condition(records)
        order = "ORDER BY taken IS NULL, taken DESC, id LIMIT ?"
        return self._found(records, condition or "1", [*values, count], order)

    def _condition(self, records: Records) -> tuple[str, list[Any]]:
        """In SQL, with its values; empty when nothing is asked."""
        conditions: list[tuple[str, list[Any]]] = []
        if self.where is not None:
            conditions.append((f"({checked(self.where)}\n)", []))
        if self.folder is not None:
            conditions.append(_below(records, readable(absolute(self.folder))))
        if self.after is not None:
            conditions.append(("taken >= ?", [first_day(self.after)]))
        if self.before is not None:
            conditions.append(("taken < ?", [first_day(self.before)]))
        if self.orientation is not None:
            conditions.append(("orientation = ?", [self.orientation]))
        if self.tag is not None:
            conditions.append(("EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)", [self.tag]))
        if self.least_side is not None:
            conditions.append(("min(width, height) >= ?", [self.least_side]))
        return " AND ".join(sql for sql, _ in conditions), [value for _, given in conditions for value in given]

    def _found(self, records: Records, condition: str, values: list[Any], order: str) -> np.ndarray:
        query = f"SELECT id FROM photos WHERE {condition} {order}"
        try:
            rows = records.rows(query, values) if self.where is None else records.rows_within_budget(query, values)
        except QueryRefusedError as error:
            raise _refusal(self.where or "", str(error)) from None
        return np.fromiter((id for (id,) in rows), np.int64)


def _below(records: Records, folder: str) -> tuple[str, list[Any]]:
    """The condition that a photo lies below the folder, and its values. Raises UsageError where none does."""
    start = f"{folder.rstrip('/')}/"
    condition, values = "(folder = ? OR substr(folder, 1, ?) = ?)", [folder, len(start), start]
    if not records.rows(f"SELECT 1 FROM photos WHERE {condition} LIMIT 1", values):
        folders = [PurePosixPath(path) for (path,) in records.rows("SELECT DISTINCT folder FROM photos")]
        known = {str(path) for path in folders} | {str(above) for path in folders for above in path.parents}
        hint = did_you_mean(folder, known) or f"\nWhat has been added: lexel library stats {records.folder}"
        raise UsageError(f"No photo of {records.folder} is below {folder}.{hint}")
    return condition, values


def checked(condition: str) -> str:
    """The condition, in which double quotes have become SQLite's quotes for nothing but columns.

    Raises UsageError unless it is one expression over the columns of `photos`.
    """
    given, condition = condition, _QUOTED.sub(_as_column_name, condition)
    scratch = sqlite3.connect(":memory:")
    scratch.execute(f"CREATE TABLE photos ({', '.join(PHOTO_COLUMNS)})")
    set_budget(scratch)
    scratch.set_authorizer(_authorize)
    try:
        # In brackets, so that it is no more than an expression, and without, so that its own brackets are in order.
        # They are closed on a line of their own: a comment at its end cannot swallow them.
        scratch.execute(f"EXPLAIN SELECT id FROM photos WHERE ({condition}\n)")
        scratch.execute(f"EXPLAIN SELECT id FROM photos WHERE {condition}")
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        refusal = as_refusal(error) if isinstance(error, sqlite3.Error) else None
        raise _refusal(given, str(refusal or error)) from None
    finally:
        scratch.close()
    return condition


def _as_column_name(quoted: re.Match[str]) -> str:
    name = quoted["column"]
    if name is None:  # a text or a comment
        return quoted[0]
    name = name.replace('""', '"').replace("`", "``")
    return f"`{name}`"


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    allowed: dict[int, Callable[[], bool]] = {
        sqlite3.SQLITE_SELECT: lambda: True,
        sqlite3.SQLITE_READ: lambda: first == "photos" and (not second or second in PHOTO_COLUMNS),
        sqlite3.SQLITE_FUNCTION: lambda: second in ALLOWED_FUNCTIONS,
    }
    return sqlite3.SQLITE_OK if allowed.get(action, lambda: False)() else sqlite3.SQLITE_DENY


def _refusal(condition: str, reason: str) -> UsageError:
    unknown = re.search(r"no such column: (.+)", reason, re.DOTALL)
    hint = did_you_mean(unknown[1], PHOTO_COLUMNS) if unknown else ""
    if unknown and f'"{unknown[1]}"' in condition and not hint:
        hint = f" A text stands in single quotes: '{unknown[1]}'."
    if len(condition) > MAX_SHOWN_CHARACTERS:
        condition = f"{condition[:MAX_SHOWN_CHARACTERS]}…"
    function = re.search(r"not authorized to use function: (\S+)", reason)
    if function:
        reason = f"{function[1]} is no function that may be used here"
    elif reason == "not authorized":
        reason = "it may only compare columns"
    return UsageError(
        f'The condition "{condition}" cannot be used: {reason.rstrip(".")}.{hint}\n'
        f"  Columns: {', '.join(PHOTO_COLUMNS)}.\n"
        "  Example: taken >= '2024-01-01' AND width > 1000"
    )


def first_day(given: str) -> str:
    """The day that a year, a month or a day begins with, as ISO 8601."""
    match = DAY_PATTERN.fullmatch(given.strip())
    try:
        if match is None:
            raise ValueError
        year, month, day = (int(part or 1) for part in match.groups())
        return date(year, month, day).isoformat()
    except ValueError:
        raise UsageError(f'"{given}" is no day. Write 2024, 2024-05 or 2024-05-31.') from None
