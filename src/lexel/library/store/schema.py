"""The tables of a library's `records.sqlite`, and how the file is opened.

A path is TEXT where it is UTF-8 and a BLOB of its bytes where it is not; `folder` and `name` are the same for reading
and searching, with \\x.. for what is no text. A file refers to its content, so that copies share one embedding, and
what a move changes is one path. Vectors have a table of their own because re-embedding puts another in its place.

Everything that SQLite may raise for damage, a full disk or a lock comes out as one of Lexel's errors (`told`).
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lexel.errors import DataError, UsageError
from lexel.library.store.locking import LOCK, only_writer

DATABASE = "records.sqlite"
VERSION = 1
APPLICATION = 0x4C584C31  # "LXL1", marks the file as ours

_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO meta VALUES ('generation', 0);
CREATE TABLE contents (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, thumbnail BLOB NOT NULL);
CREATE TABLE vectors (content INTEGER PRIMARY KEY REFERENCES contents ON DELETE CASCADE, vector BLOB NOT NULL);
CREATE TABLE files (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never given again, so that an id that is kept elsewhere cannot lie
    path NOT NULL UNIQUE,
    folder TEXT NOT NULL,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    settled INTEGER NOT NULL, -- 0: read so soon after it was written that its time may not tell of a later change
    content INTEGER NOT NULL REFERENCES contents,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    taken TEXT,
    latitude REAL,
    longitude REAL,
    camera TEXT,
    caption TEXT,
    caption_stamp INTEGER NOT NULL DEFAULT 0, -- of the text file it is from, in ns; -1: from a table; 0: none
    label TEXT, -- that a source gave; shown as the last tag
    tags TEXT NOT NULL DEFAULT '[]', -- a JSON list
    missing INTEGER NOT NULL DEFAULT 0, -- 1: vanished from the disk
    added TEXT NOT NULL,
    changed INTEGER NOT NULL -- the generation in which it got its vector or came back
);
CREATE TABLE orphans (content INTEGER PRIMARY KEY); -- that have lost a file; looked at when a run ends
CREATE INDEX files_content ON files (content);
CREATE TABLE unreadable (path PRIMARY KEY, size INTEGER, mtime_ns INTEGER, reason TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE places (path PRIMARY KEY, kind TEXT NOT NULL) WITHOUT ROWID; -- 'folder', 'source', 'mount'
CREATE TABLE caption_tables (path PRIMARY KEY, stamp INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE excluded (path PRIMARY KEY) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(
    caption, label, tags, name, folder,
    content='files', content_rowid='id', tokenize='unicode61 remove_diacritics 2'
);
CREATE TRIGGER words_of_new AFTER INSERT ON files BEGIN
    INSERT INTO words (rowid, caption, label, tags, name, folder)
    VALUES (new.id, new.caption, new.label, new.tags, new.name, new.folder);
END;
CREATE TRIGGER words_of_removed AFTER DELETE ON files BEGIN
    INSERT INTO words (words, rowid, caption, label, tags, name, folder)
    VALUES ('delete', old.id, old.caption, old.label, old.tags, old.name, old.folder);
END;
CREATE TRIGGER words_of_changed AFTER UPDATE OF caption, label, tags, name, folder ON files BEGIN
    INSERT INTO words (words, rowid, caption, label, tags, name, folder)
    VALUES ('delete', old.id, old.caption, old.label, old.tags, old.name, old.folder);
    INSERT INTO words (rowid, caption, label, tags, name, folder)
    VALUES (new.id, new.caption, new.label, new.tags, new.name, new.folder);
END;
CREATE VIEW photos AS SELECT
    id, CASE folder WHEN '/' THEN '/' || name ELSE folder || '/' || name END AS path, folder, name, size, width, height,
    taken, latitude, longitude, camera, caption,
    CASE WHEN label IS NULL THEN tags ELSE json_insert(tags, '$[#]', label) END AS tags,
    CASE WHEN width > height THEN 'landscape' WHEN width < height THEN 'portrait' ELSE 'square' END AS orientation,
    added
FROM files WHERE NOT missing;
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
COMMIT;
"""


def connect(folder: Path, *, create: bool = False) -> tuple[sqlite3.Connection, bool]:
    """The library's database and whether it can only be read, because the folder is on read-only media or another's.

    Raises UsageError when there is no library, DataError when it is damaged or of another version of Lexel.
    """
    path = folder / DATABASE
    if not create and not path.is_file():
        raise UsageError(_no_library(folder))
    read_only = path.exists() and not (os.access(folder, os.W_OK) and os.access(path, os.W_OK))
    with told(folder):
        connection = _open(path, _mode(folder, path) if read_only else "mode=rwc" if create else "mode=rw")
        try:
            _check_version(connection, folder, create and not read_only)
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
def told(folder: Path) -> Iterator[None]:
    """Within it, what SQLite raises becomes an error that says what to do; what was committed before is whole."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise _operational(error, folder) from error
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
            raise
        raise DataError(
            f"{folder / DATABASE} is damaged: {error}.\n"
            "Put back a copy of the library, or delete the library's folder and index your pictures again."
        ) from error


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
                "Open it once where it can be written: lexel library stats LIBRARY"
            )
        return "mode=ro"
    return "immutable=1&mode=ro"  # else SQLite wants to write files of its own beside it


def _check_version(connection: sqlite3.Connection, folder: Path, create: bool) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables:  # new, or its maker was killed before the tables were there
        if not create:
            raise UsageError(_no_library(folder))
        with only_writer(folder):
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                connection.executescript(_SCHEMA)
    elif application != APPLICATION:
        raise DataError(f"{folder / DATABASE} is not a library of Lexel's. Give the library another name.")
    elif version != VERSION:
        older = version < VERSION
        raise DataError(
            f"{folder} has format {version}; this Lexel reads and writes format {VERSION}.\n"
            + (
                "Its format is older than any that can be taken over: index the pictures into a new library."
                if older
                else "It was made by a newer Lexel: use that one, or index the pictures into a new library."
            )
        )


def check_for_others(folder: Path) -> None:
    """Raise UsageError when a folder in which a library is to be made holds other things."""
    if {entry.name for entry in folder.iterdir()} - {LOCK}:
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
    return error
