"""Whether a library is whole: its database as SQLite sees it, its tables, every row, and the index beside it.

Rows have checksums; captions, tags and names are compared with the index of words, which has them a second time. What
`repair` can mend is mended from the picture files at the next `lexel index`, so that numbers and tags stay.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lexel.errors import DataError
from lexel.library.store import checksums
from lexel.library.store.locking import only_writer
from lexel.library.store.paths import as_path, readable
from lexel.library.store.records import Records
from lexel.library.store.tables import SCHEMA
from lexel.library.upkeep.row_checks import LENGTH_TOLERANCE, DamagedRows, look_at_rows

MAX_PHOTOS_NAMED = 3  # in one damage
MAX_PHOTOS_SEARCHED_FOR = 200  # by their own vectors

_REPAIR = "lexel library verify LIBRARY --repair, then lexel index LIBRARY"
_COPY = "Put back a copy of the library, or index the pictures into a new one."
_TABLES_WITHOUT_CHECKSUMS = ("places", "unreadable", "excluded", "exclude_patterns", "caption_tables", "orphans")
_KINDS_OF_PLACES = {"folder", "source", "mount"}


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is not whole."""

    what: str
    remedy: str  # for the user


def verify(records: Records) -> list[Damage]:
    """What is damaged in the records and their index; empty when all is whole."""
    try:
        damages = _of_the_file(records)
        if damages:
            return damages  # what would be read next may be anything
        damages = _of_the_words(records)
        rows = look_at_rows(records)
        return damages + list(_of_the_rows(records, rows)) + _of_the_index(records)
    except (DataError, sqlite3.Error) as error:
        return [Damage(str(error).splitlines()[0], _COPY)]


def repair(records: Records) -> int:
    """Make what is damaged in single photos be read from their files again, and forget the index; of how many photos.

    Photos without a sound vector or thumbnail count as vanished until the next look at their files, which embeds them;
    their numbers, tags and captions stay. Damage of the database itself cannot be mended: see `verify`.
    """
    from lexel.library.index.index_files import STAMP_NAME

    if _of_the_file(records):
        return 0
    rows = look_at_rows(records)
    contents = {*rows.no_vector, *rows.wrong_vector, *rows.thumbnail}
    with only_writer(records.folder), records.changing() as changes:
        connection = changes.connection
        connection.execute("INSERT INTO words (words) VALUES ('rebuild')")  # first: a change updates what is there
        connection.executemany("DELETE FROM vectors WHERE content = ?", ((content,) for content in contents))
        photos = [id for content in contents for id, *_ in changes.with_content(content)]
        changes.mark_missing(photos)
        connection.executemany(
            "UPDATE files SET keywords = NULL, facts_checksum = NULL WHERE id = ?", ((id,) for id in rows.facts)
        )
        (records.folder / STAMP_NAME).unlink(missing_ok=True)
    return len({*photos, *rows.facts})


def _of_the_file(records: Records) -> list[Damage]:
    found = [line for (line,) in records.rows("PRAGMA integrity_check(5)") if line != "ok"]
    if found:
        return [Damage(f"records.sqlite is damaged: {found[0]}", _COPY)]
    strays = records.rows("PRAGMA foreign_key_check")
    if strays:
        return [Damage(f"{len(strays):,} rows refer to what is not there.", _COPY)]
    changed = _changed_tables(records)
    if changed:
        return [Damage(f"The table {changed[0]} is not as Lexel makes it.", _COPY)]
    facts = dict(records.rows("SELECT key, value FROM meta"))
    checksum = facts.pop("checksum", None)
    if checksum is not None and checksum != checksums.of_rows(facts.items()):
        return [Damage("What the library knows of its model is not what was written.", _COPY)]
    for table in _TABLES_WITHOUT_CHECKSUMS:
        records.rows(f"SELECT * FROM {table}")
    wrong = [kind for (kind,) in records.rows("SELECT DISTINCT kind FROM places") if kind not in _KINDS_OF_PLACES]
    return [Damage(f"There is no kind of folder called {wrong[0]!r}.", _COPY)] if wrong else []


def _changed_tables(records: Records) -> list[str]:
    """Tables, views and triggers that have other columns, or another text, than in a new library."""
    new = sqlite3.connect(":memory:")
    try:
        new.executescript(SCHEMA)
        wanted = _objects(new)
    finally:
        new.close()
    with records.reading() as connection:
        found = _objects(connection)
    return [name for name, content in wanted.items() if found.get(name) != content]


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


def _of_the_words(records: Records) -> list[Damage]:
    if records.read_only:
        return []
    try:
        records.rows("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)")
    except DataError:
        return [Damage("The index of words does not fit the photos' captions, tags and names.", _REPAIR)]
    return []


def _of_the_rows(records: Records, rows: DamagedRows) -> Iterator[Damage]:
    by_content = "SELECT path FROM files WHERE content = ? AND NOT missing ORDER BY id LIMIT 1"
    by_photo = "SELECT path FROM files WHERE id = ?"
    for ids, query, what, remedy in (
        (rows.no_vector, by_content, "have no vector", _REPAIR),
        (
            rows.wrong_vector,
            by_content,
            f"have a vector that is not the one written, of {records.dimensions} numbers",
            _REPAIR,
        ),
        (rows.thumbnail, by_content, "have a thumbnail that is not the one written", _REPAIR),
        (rows.facts, by_photo, "have a size, date, place, camera or keywords that are not those written", _REPAIR),
        (rows.entry, by_photo, "have an entry that is not as Lexel writes it", _COPY),
    ):
        if ids:
            yield Damage(_name_photos(records, ids, query, what), remedy)


def _name_photos(records: Records, ids: Sequence[int], query: str, what: str) -> str:
    first = [readable(as_path(records.rows(query, (id,))[0][0])) for id in ids[:MAX_PHOTOS_NAMED]]
    return f"{len(ids):,} photos {what}: {', '.join(first)}{' …' if len(ids) > MAX_PHOTOS_NAMED else ''}"


def _of_the_index(records: Records) -> list[Damage]:
    """Whether a search in the index finds the photos that the records have."""
    from lexel.library.index.index_files import STAMP_NAME, intact
    from lexel.library.index.vectors import Vectors

    if not records.count:
        return []
    if (records.folder / STAMP_NAME).exists() and not intact(records.folder):
        return [Damage("The index of the vectors is damaged.", _REPAIR)]
    vectors = Vectors.open(records.folder, records)
    ids = records.ids_where("1")
    scores, _ = vectors.search(vectors.vectors_of(ids[:: max(1, len(ids) // MAX_PHOTOS_SEARCHED_FOR)]), 1)
    if vectors.count != len(ids) or scores.min() < 1 - LENGTH_TOLERANCE:
        return [Damage("The index of the vectors does not find the photos of the records.", _REPAIR)]
    return []
