"""What labelling has added to a library's tags and to side-cars, and taken from them, so that all can be taken back.

Each call that labels or removes a tag is one labelling; its changes are noted one by one, a word of a photo each, in
two tables that are made when first needed. A tag and its note come in one transaction. A side-car is noted before it is
written, so that also what was written last before a power cut is known.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from lexel.library.store.database.locking import only_writer
from lexel.library.store.database.paths import as_column, as_path
from lexel.library.store.records import Records

ADDED, REMOVED = 1, -1

_TABLES = (
    """CREATE TABLE IF NOT EXISTS labellings (
        number INTEGER PRIMARY KEY AUTOINCREMENT, made TEXT NOT NULL, what TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS label_changes (
        id INTEGER PRIMARY KEY,
        labelling INTEGER NOT NULL,
        photo INTEGER NOT NULL, -- its number; it may have been removed since
        sidecar, -- the path of the side-car; NULL: the library's own tags
        word TEXT NOT NULL,
        change INTEGER NOT NULL -- 1: added, -1: removed
    )""",
    "CREATE INDEX IF NOT EXISTS label_changes_of ON label_changes (labelling)",
)


@dataclass(frozen=True, slots=True)
class Labelling:
    """One call that has added or removed tags or keywords."""

    number: int
    made: str  # local time, ISO 8601
    what: str  # for people: "labels as tags"


@dataclass(frozen=True, slots=True)
class SidecarChange:
    """A keyword that was added to a side-car, or removed from it."""

    photo: int  # its id
    sidecar: str  # path
    word: str
    change: int  # ADDED or REMOVED
    id: int = 0  # of the note, once it is kept


class LabelHistory:
    """The labellings of one library, as a stack. Changing methods raise UsageError where nothing can be written."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def last(self) -> Labelling | None:
        """The labelling that would be undone next."""
        if not self._has_tables():
            return None
        rows = self._records.rows("SELECT number, made, what FROM labellings ORDER BY number DESC LIMIT 1")
        return Labelling(*rows[0]) if rows else None

    def begin(self, what: str) -> int:
        """A new labelling; its number."""
        with self._changing() as connection:
            return _begin(connection, what)

    def add_tags(self, words: Mapping[int, Sequence[str]], what: str) -> int:
        """Add words to the tags of photos, by their ids; how many photos have got one that they had not."""
        changed = 0
        with self._changing() as connection:
            number = _begin(connection, what)
            for photo, given in words.items():
                row = connection.execute("SELECT tags, label FROM files WHERE id = ?", (photo,)).fetchone()
                if row is None:  # removed meanwhile
                    continue
                tags = json.loads(row[0])
                new = [word for word in dict.fromkeys(given) if word not in tags and word != row[1]]
                if new:
                    changed += 1
                    _set_tags(connection, photo, [*tags, *new])
                    for word in new:
                        _note(connection, number, (photo, None, word, ADDED))
            if not changed:
                _forget(connection, number)
        return changed

    def remove_tag(self, word: str, number: int) -> int:
        """Remove a word from the tags of all photos, as part of a labelling; of how many."""
        having = "SELECT id, tags FROM files WHERE EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)"
        with self._changing() as connection:
            rows = connection.execute(having, (word,)).fetchall()
            for photo, tags in rows:
                _set_tags(connection, photo, [tag for tag in json.loads(tags) if tag != word])
                _note(connection, number, (photo, None, word, REMOVED))
        return len(rows)

    def note_sidecars(self, number: int, changes: Iterable[SidecarChange]) -> list[SidecarChange]:
        """Note what is about to be done to side-cars; the same, with the numbers of their notes."""
        with self._changing() as connection:
            noted = []
            for one in changes:
                row = (one.photo, as_column(one.sidecar), one.word, one.change)
                noted.append(replace(one, id=_note(connection, number, row)))
        return noted

    def sidecars_of(self, number: int) -> list[SidecarChange]:
        """What a labelling has done to side-cars, in the order of its notes."""
        return self._sidecar_changes("WHERE labelling = ? AND sidecar IS NOT NULL ORDER BY id", (number,))

    def sidecars_with(self, word: str) -> list[SidecarChange]:
        """The side-cars that have got this word from Lexel and have not lost it through Lexel since."""
        if not self._has_tables():
            return []
        return self._sidecar_changes(
            "WHERE sidecar IS NOT NULL AND word = ? GROUP BY sidecar HAVING sum(change) > 0 ORDER BY id", (word,)
        )

    def undo_tags(self, number: int) -> int:
        """Take back what a labelling has done to the library's tags; of how many photos."""
        query = "SELECT photo, word, change FROM label_changes WHERE labelling = ? AND sidecar IS NULL ORDER BY id DESC"
        undone: set[int] = set()
        with self._changing() as connection:
            for photo, word, change in connection.execute(query, (number,)).fetchall():
                row = connection.execute("SELECT tags FROM files WHERE id = ?", (photo,)).fetchone()
                tags = json.loads(row[0]) if row else []
                wanted = [tag for tag in tags if tag != word] + ([word] if change == REMOVED else [])
                if row and set(wanted) != set(tags):
                    _set_tags(connection, photo, wanted)
                    undone.add(photo)
            connection.execute("DELETE FROM label_changes WHERE labelling = ? AND sidecar IS NULL", (number,))
        return len(undone)

    def forget_sidecars(self, changes: Iterable[SidecarChange]) -> None:
        """Drop notes of side-cars: what they say has been taken back."""
        with self._changing() as connection:
            connection.executemany("DELETE FROM label_changes WHERE id = ?", [(one.id,) for one in changes])

    def forget_if_empty(self, number: int) -> bool:
        """Drop a labelling of which no note is left; whether that was so."""
        with self._changing() as connection:
            left = connection.execute("SELECT 1 FROM label_changes WHERE labelling = ? LIMIT 1", (number,)).fetchone()
            if left is None:
                _forget(connection, number)
        return left is None

    def tags(self) -> list[str]:
        """The distinct tags of the library, sorted; labels of a source are none of them."""
        return [
            tag for (tag,) in self._records.rows("SELECT DISTINCT value FROM files, json_each(tags) ORDER BY value")
        ]

    def count_labelled_by_source(self, word: str) -> int:
        """How many photos have the word as the label that their source gave them."""
        return self._records.rows("SELECT count(*) FROM files WHERE label = ?", (word,))[0][0]

    def _sidecar_changes(self, condition: str, values: Sequence[object]) -> list[SidecarChange]:
        rows = self._records.rows(f"SELECT photo, sidecar, word, change, id FROM label_changes {condition}", values)
        return [SidecarChange(photo, as_path(path), word, change, id) for photo, path, word, change, id in rows]

    def _has_tables(self) -> bool:
        return bool(self._records.rows("SELECT 1 FROM sqlite_master WHERE name = 'label_changes'"))

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """A transaction of the only writer, with the tables there."""
        with only_writer(self._records.folder), self._records.changing() as changes:
            for table in _TABLES:
                changes.connection.execute(table)
            yield changes.connection


def _begin(connection: sqlite3.Connection, what: str) -> int:
    made = datetime.now().astimezone().replace(tzinfo=None).isoformat(timespec="seconds")
    number = connection.execute("INSERT INTO labellings (made, what) VALUES (?, ?)", (made, what)).lastrowid
    assert number is not None
    return number


def _forget(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("DELETE FROM labellings WHERE number = ?", (number,))


def _note(connection: sqlite3.Connection, number: int, change: tuple[int, str | bytes | None, str, int]) -> int:
    """Keep a change (photo, side-car, word, ADDED or REMOVED); the number of the note."""
    query = "INSERT INTO label_changes (labelling, photo, sidecar, word, change) VALUES (?, ?, ?, ?, ?)"
    id = connection.execute(query, (number, *change)).lastrowid
    assert id is not None
    return id


def _set_tags(connection: sqlite3.Connection, photo: int, tags: Sequence[str]) -> None:
    query = "UPDATE files SET tags = ? WHERE id = ?"
    connection.execute(query, (json.dumps(list(tags), ensure_ascii=False), photo))
