"""What a query that a user has written may cost: time, and the sizes of its parts and of the strings that it makes.

SQLite looks at the clock between the steps of its program. A single step is kept short by the limit on strings.
"""

import sqlite3
import time

from lexel.errors import UsageError

MAX_SECONDS = 20.0  # ten times what a comparison of every column takes for ten million photos
STEPS_PER_LOOK = 10_000  # of SQLite's program, between two looks at the clock
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 4_000_000,  # bytes of a string or row
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,  # bytes; a list of some ten thousand numbers
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 10,  # SELECTs that are put together
    sqlite3.SQLITE_LIMIT_VDBE_OP: 200_000,  # steps of the program
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,  # bytes
}


class QueryRefusedError(UsageError):
    """SQLite does not do the query, because it is wrong or costs more than it may; in SQLite's words."""


def set_budget(connection: sqlite3.Connection) -> None:
    """Let queries on the connection cost so much and no more, from now on.

    Beyond that SQLite raises OperationalError or DataError, which `as_refusal` turns into a QueryRefusedError.
    """
    for limit, value in _LIMITS.items():
        connection.setlimit(limit, value)
    end = time.monotonic() + MAX_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > end, STEPS_PER_LOOK)


def as_refusal(error: sqlite3.Error) -> QueryRefusedError | None:
    """The refusal that SQLite means by an error; None when the query is not to blame for it."""
    code = (getattr(error, "sqlite_errorcode", None) or sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_INTERRUPT:
        return QueryRefusedError(f"it takes more than {MAX_SECONDS:g} seconds")
    if code == sqlite3.SQLITE_TOOBIG:
        return QueryRefusedError("it makes texts that are too long")
    return QueryRefusedError(str(error)) if code == sqlite3.SQLITE_ERROR else None
