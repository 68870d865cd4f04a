"""How a library's `records.sqlite` is opened; `tables` has its tables.

Whatever SQLite raises for damage, a full disk or a lock becomes one of Lexel's errors (`translated_errors`).
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lexel.errors import DataError, UsageError
from lexel.library.store.database.locking import LOCK_NAME, only_writer
from lexel.library.store.database.migration import OLDEST_VERSION, show_as_current, upgrade
from lexel.library.store.database.tables import APPLICATION, SCHEMA, VERSION

DATABASE = "records.sqlite"


def connect(folder: Path, *, create: bool = False) -> tuple[sqlite3.Connection, bool]:
    """The library's database and whether it can only be read, because the folder is on read-only media or another's.

    Raises UsageError when there is no library, DataError when it is damaged or of another version of Lexel.
    """
    path = folder / DATABASE
    if not create and not path.is_file():
        raise UsageError(_no_library(folder))
    read_only = path.exists() and not (os.access(folder, os.W_OK) and os.access(path, os.W_OK))
    with translated_errors(folder):
        connection = _open(path, _mode(folder, path) if read_only else "mode=rwc" if create else "mode=rw")
        try:
            _check_version(connection, folder, create=create, read_only=read_only)
            if not read_only:  # only now: the file is ours
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA cache_size = -65536")  # KiB
        except BaseException:
            connection.close()
            raise
    return connection, read_only


@contextmanager
def translated_errors(folder: Path) -> Iterator[None]:
    """Within it, what SQLite raises becomes an error that says what to do; what was committed before is whole."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise _operational(error, folder) from error
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
            raise
        raise _damaged(folder, error) from error
    except UnicodeDecodeError as error:  # sqlite3's own messages quote what they find
        raise _damaged(folder, "its tables have no readable names") from error


def _damaged(folder: Path, what: object) -> DataError:
    return DataError(
        f"{folder / DATABASE} is damaged: {what}.\n"
        "Put back a copy of the library, or delete the library's folder and index your pictures again."
    )


def _open(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{mode}"
    # SQLite's own locks make a connection safe among threads; a transaction is one thread's by Records' lock.
    return sqlite3.connect(uri, uri=True, timeout=30, isolation_level=None, check_same_thread=False)


def _mode(folder: Path, path: Path) -> str:
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        if not os.access(path.with_name(f"{path.name}-shm"), os.R_OK):
            raise DataError(
                f"{folder} was left in the middle of a change and cannot be written here.\n"
                f"Open it once where it can be written: lexel library stats {folder}"
            )
        return "mode=ro"
    return "immutable=1&mode=ro"  # else SQLite wants to write files of its own beside it


def _check_version(connection: sqlite3.Connection, folder: Path, *, create: bool, read_only: bool) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables:  # new, or its maker was killed before the tables were there
        if not create or read_only:
            raise UsageError(_no_library(folder))
        with only_writer(folder):
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                connection.executescript(SCHEMA)
    elif application != APPLICATION:
        raise DataError(f"{folder / DATABASE} is not a library of Lexel's. Give the library another name.")
    elif not OLDEST_VERSION <= version <= VERSION:
        raise DataError(
            f"{folder} has format {version}; this Lexel reads formats {OLDEST_VERSION} to {VERSION}.\n"
            "It was made by another Lexel: use that one, or index the pictures into a new library."
        )
    elif version < VERSION and read_only:
        show_as_current(connection)
    elif version < VERSION:
        with only_writer(folder):
            upgrade(connection)


def check_for_others(folder: Path) -> None:
    """Raise UsageError when a folder in which a library is to be made holds other things."""
    if {entry.name for entry in folder.iterdir()} - {LOCK_NAME}:
        raise UsageError(_no_library(folder))


def _no_library(folder: Path) -> str:
    if folder.is_dir() and any(folder.iterdir()):
        return (
            f"{folder} is a folder of other things, not a library.\n"
            "The library comes first and has a name of its own: lexel index photos.lexel FOLDER"
        )
    return f"There is no library {folder}. Make one: lexel index {folder} FOLDER --model MODEL"


def _operational(error: sqlite3.OperationalError, folder: Path) -> Exception:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return DataError(
            f"The disk is full: {folder} cannot grow. What it held before is whole.\n"
            "Make room and give the same command again; it goes on where it stopped."
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return UsageError(f"Another program keeps {folder / DATABASE} locked. Try again when it is done.")
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return DataError(
            f"{folder / DATABASE} cannot be read or written: {error}. What it held before is whole.\n"
            "Look at the disk and at who may write there."
        )
    if "malformed" in str(error) or str(error).startswith("Could not decode to UTF-8"):
        return _damaged(folder, error)
    return error
