"""Whether the database is as Lexel writes it, and taking away what is not so that it is made again."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import NamedTuple

from lexel.errors import DataError
from lexel.library.store.changes import Changes
from lexel.library.store.database import checksums
from lexel.library.store.database.paths import as_path
from lexel.library.store.database.tables import SCHEMA
from lexel.library.store.records import Records

READING_ERRORS = (DataError, sqlite3.Error)  # what looking at a damaged database may raise

_TABLES_WITHOUT_CHECKSUMS = ("places", "unreadable", "excluded", "exclude_patterns", "caption_tables", "orphans")
_FACTS = "width, height, taken, latitude, longitude, camera, keywords, description"
_ENTRIES = f"""SELECT id, path, folder, name, size, mtime_ns, settled, content, caption, caption_stamp, label, tags,
    missing, added, changed, facts_checksum, {_FACTS} FROM files ORDER BY id"""


class StoredEntry(NamedTuple):
    """A photo's row, each column as SQLite has it: in a damaged database it may be of any type."""

    id: int
    path: object
    folder: object
    name: object
    size: object
    mtime_ns: object
    settled: object
    content: object
    caption: object
    caption_stamp: object
    label: object
    tags: object
    missing: object
    added: object
    changed: object
    facts_checksum: int | None
    facts: tuple[object, ...]


class StoredContent(NamedTuple):
    """A content's thumbnail and vector with their checksums; None where there is none."""

    thumbnail: object
    thumbnail_checksum: int | None
    vector: object
    vector_checksum: int | None


def page_errors(records: Records) -> list[str]:
    """What SQLite finds wrong in the file itself, in its own words; at most five."""
    return [line for (line,) in records.rows("PRAGMA integrity_check(5)") if line != "ok"]


def stray_row_count(records: Records) -> int:
    """How many rows refer to rows that are not there."""
    return len(records.rows("PRAGMA foreign_key_check"))


def changed_tables(records: Records) -> list[str]:
    """Tables, views and triggers that have other columns, or another text, than in a new library."""
    with closing(sqlite3.connect(":memory:")) as new:
        new.executescript(SCHEMA)
        wanted = _objects(new)
    with records.reading() as connection:
        found = _objects(connection)
    return [name for name, content in wanted.items() if found.get(name) != content]


def facts_are_as_written(records: Records) -> bool:
    """Whether what the library knows of its model has the checksum that was written with it."""
    facts = dict(records.rows("SELECT key, value FROM meta"))
    checksum = facts.pop("checksum", None)
    return checksum is None or checksum == checksums.of_rows(facts.items())


def read_tables_without_checksums(records: Records) -> None:
    """Read every row of them. Raises DataError where SQLite cannot."""
    for table in _TABLES_WITHOUT_CHECKSUMS:
        records.rows(f"SELECT * FROM {table}")


def kinds_of_places(records: Records) -> set[object]:
    """Every kind that a place has."""
    return {kind for (kind,) in records.rows("SELECT DISTINCT kind FROM places")}


def words_fit(records: Records) -> bool:
    """Whether the index of words has the captions, tags and names that the photos have."""
    try:
        records.rows("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)")
    except DataError:
        return False
    return True


def entries(records: Records) -> Iterator[StoredEntry]:
    """Every photo's row, the vanished ones too."""
    facts = len(_FACTS.split(", "))
    for row in records.rows(_ENTRIES):
        yield StoredEntry._make((*row[:-facts], row[-facts:]))


def searched_contents(records: Records) -> list[int]:
    """The numbers of the contents of the photos to be searched, ascending."""
    return [id for (id,) in records.rows("SELECT DISTINCT content FROM files WHERE NOT missing ORDER BY content")]


def stored_content(records: Records, content: int) -> StoredContent:
    """What is stored of the content."""
    query = """SELECT thumbnail, thumbnail_checksum, vector, checksum FROM contents LEFT JOIN vectors ON content = id
        WHERE id = ?"""
    return StoredContent(*records.rows(query, (content,))[0])


def path_of_photo(records: Records, id: int) -> str:
    """The path of a photo that is there, its entry damaged or not."""
    path = records.rows("SELECT path FROM files WHERE id = ?", (id,))[0][0]
    return as_path(path) if isinstance(path, str | bytes) else repr(path)


def path_with_content(records: Records, content: int) -> str:
    """The path of the first photo to be searched that has the content."""
    query = "SELECT path FROM files WHERE content = ? AND NOT missing ORDER BY id LIMIT 1"
    return as_path(records.rows(query, (content,))[0][0])


def forget_damaged(changes: Changes, contents: Iterable[int], facts: Iterable[int]) -> list[int]:
    """Drop the contents' vectors and the photos' facts, so that they are read from the files again.

    Returns the photos of the contents, which count as vanished until then.
    """
    contents = list(contents)
    connection = changes.connection
    connection.execute("INSERT INTO words (words) VALUES ('rebuild')")  # first: a change updates what is there
    connection.executemany("DELETE FROM vectors WHERE content = ?", ((content,) for content in contents))
    photos = [id for content in contents for id, *_ in changes.with_content(content)]
    changes.mark_missing(photos)
    connection.executemany(
        "UPDATE files SET keywords = NULL, facts_checksum = NULL WHERE id = ?", ((id,) for id in facts)
    )
    return photos


def _objects(connection: sqlite3.Connection) -> dict[str, object]:
    """Name → columns of a table, text of a view, trigger or index."""
    objects: dict[str, object] = {}
    # An older format that cannot be written is seen through views of the connection's own, which come last.
    for schema in ("main", "temp"):
        for kind, name, text in connection.execute(f"SELECT type, name, sql FROM {schema}.sqlite_master").fetchall():
            if kind == "table" or schema == "temp":
                columns = connection.execute("SELECT name, type FROM pragma_table_info(?)", (name,)).fetchall()
                objects[name] = sorted(columns)
            else:
                objects[name] = text
    return objects
