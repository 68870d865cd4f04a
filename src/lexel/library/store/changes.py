"""What can be changed in the records, one function each, all within a transaction that `Records.changing` opens."""

import json
import os
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from lexel.library.store.database import checksums
from lexel.library.store.database.paths import as_column, as_path, is_below, ranges_below, readable, rebased

SETTLING_TIME_NS = 2_000_000_000  # file systems tell times to within two seconds at worst

_FACTS = "width, height, taken, latitude, longitude, camera, keywords, description, facts_checksum"


@dataclass(frozen=True, slots=True)
class FileState:
    """Size and time of a file, which show without reading it whether it is still the same."""

    size: int
    mtime_ns: int
    settled: bool = True  # False: read so soon after it was written that its time may not tell of a later change

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """The state of a file whose content is read now."""
        settled = status.st_mtime_ns < time.time_ns() - SETTLING_TIME_NS
        return cls(status.st_size, status.st_mtime_ns, settled)


class PhotoFacts(NamedTuple):
    """What a picture file holds besides its pixels, in the order of the records' columns."""

    width: int = 0  # pixels, upright
    height: int = 0
    taken: str | None = None  # local time, ISO 8601
    latitude: float | None = None  # degrees
    longitude: float | None = None
    camera: str | None = None
    keywords: str = "[]"  # that the file has in it: a JSON list
    description: str | None = None  # the title and the description in the file, a line each


class Changes:
    """A transaction on the records. Every photo that comes, goes or gets another vector makes it a new generation."""

    def __init__(self, connection: sqlite3.Connection, generation: int) -> None:
        self.connection = connection
        self.generation = generation
        self._is_new_generation = False

    def content(self, digest: bytes) -> int | None:
        """The number of the content that has been embedded already, if it has."""
        query = "SELECT id FROM contents JOIN vectors ON vectors.content = id WHERE hash = ?"
        row = self.connection.execute(query, (digest,)).fetchone()
        return row[0] if row else None

    def add_content(self, digest: bytes, thumbnail: bytes, vector: bytes) -> int:
        """Keep a picture's thumbnail (JPEG) and vector (float16), and give their number."""
        query = """INSERT INTO contents (hash, thumbnail, thumbnail_checksum) VALUES (?, ?, ?)
            ON CONFLICT (hash) DO UPDATE SET thumbnail = excluded.thumbnail,
            thumbnail_checksum = excluded.thumbnail_checksum RETURNING id"""
        (id,) = self.connection.execute(query, (digest, thumbnail, checksums.of_bytes(thumbnail))).fetchone()
        query = "INSERT OR REPLACE INTO vectors (content, vector, checksum) VALUES (?, ?, ?)"
        self.connection.execute(query, (id, vector, checksums.of_bytes(vector)))
        return id

    def add_file(self, path: str, state: FileState, content: int, facts: PhotoFacts) -> int:
        """A new photo; its number."""
        folder, name = _split(path)
        query = f"""INSERT INTO files (path, folder, name, size, mtime_ns, settled, content, {_FACTS},
            added, changed) VALUES ({", ".join("?" * 18)})"""
        now = datetime.now(UTC).astimezone().replace(tzinfo=None).isoformat(timespec="seconds")
        row = (as_column(path), folder, name, state.size, state.mtime_ns, state.settled, content, *_checked(facts), now)
        self._is_new_generation = True
        id = self.connection.execute(query, (*row, self.generation)).lastrowid
        assert id is not None
        return id

    def change_file(self, id: int, state: FileState, content: int, facts: PhotoFacts) -> None:
        """The file has another content now, or is back."""
        (before,) = self.connection.execute("SELECT content FROM files WHERE id = ?", (id,)).fetchone()
        names = ", ".join(f"{name} = ?" for name in _FACTS.split(", "))
        self.connection.execute(
            f"""UPDATE files SET size = ?, mtime_ns = ?, settled = ?, content = ?, {names}, missing = 0, changed = ?
            WHERE id = ?""",
            (state.size, state.mtime_ns, state.settled, content, *_checked(facts), self.generation, id),
        )
        self._note_orphan(before)
        self._is_new_generation = True

    def move_file(self, id: int, path: str, state: FileState) -> None:
        """The same photo lies elsewhere, where no photo was."""
        folder, name = _split(path)
        (was_missing,) = self.connection.execute("SELECT missing FROM files WHERE id = ?", (id,)).fetchone()
        self.connection.execute(
            """UPDATE files SET path = ?, folder = ?, name = ?, size = ?, mtime_ns = ?, settled = ?, missing = 0,
            changed = CASE missing WHEN 1 THEN ? ELSE changed END WHERE id = ?""",
            (as_column(path), folder, name, state.size, state.mtime_ns, state.settled, self.generation, id),
        )
        self._is_new_generation |= bool(was_missing)

    def rename_file(self, id: int, path: str) -> None:
        """The photo has another path; nothing else is said of its file."""
        folder, name = _split(path)
        query = "UPDATE files SET path = ?, folder = ?, name = ? WHERE id = ?"
        self.connection.execute(query, (as_column(path), folder, name, id))

    def take_over(self, id: int, other: int) -> None:
        """Forget the other photo, and give its tags, caption and label to this one, which is the same picture."""
        query = "SELECT tags, caption, caption_stamp, label FROM files WHERE id = ?"
        tags, *_ = self.connection.execute(query, (id,)).fetchone()
        more_tags, caption, stamp, label = self.connection.execute(query, (other,)).fetchone()
        merged = json.dumps(list(dict.fromkeys([*json.loads(tags), *json.loads(more_tags)])), ensure_ascii=False)
        self.connection.execute(
            "UPDATE files SET tags = ?, label = coalesce(?, label) WHERE id = ?", (merged, label, id)
        )
        if caption is not None:
            self.set_caption(id, caption, stamp)
        self.remove_files([other])

    def set_facts(self, id: int, facts: PhotoFacts) -> None:
        """The facts in the photo's file have been read again."""
        names = ", ".join(f"{name} = ?" for name in _FACTS.split(", "))
        self.connection.execute(f"UPDATE files SET {names} WHERE id = ?", (*_checked(facts), id))

    def touch_file(self, id: int, state: FileState) -> None:
        """The file was written again with the content that it had."""
        query = "UPDATE files SET size = ?, mtime_ns = ?, settled = ? WHERE id = ?"
        self.connection.execute(query, (state.size, state.mtime_ns, state.settled, id))

    def mark_missing(self, ids: Iterable[int]) -> int:
        """The files have vanished; how many of them had not before."""
        query = "UPDATE files SET missing = 1 WHERE id = ? AND NOT missing"
        marked = sum(self.connection.execute(query, (id,)).rowcount for id in ids)
        self._is_new_generation |= marked > 0
        return marked

    def mark_found(self, ids: Iterable[int]) -> None:
        """Missing files are back as they were."""
        query = "UPDATE files SET missing = 0, changed = ? WHERE id = ? AND missing"
        found = sum(self.connection.execute(query, (self.generation, id)).rowcount for id in ids)
        self._is_new_generation |= found > 0

    def remove_files(self, ids: Iterable[int]) -> int:
        """Forget photos for good; how many there were."""
        removed = 0
        for id in ids:
            row = self.connection.execute("DELETE FROM files WHERE id = ? RETURNING content", (id,)).fetchone()
            if row:
                removed += 1
                self._note_orphan(row[0])
        self._is_new_generation |= removed > 0
        return removed

    def mark_unreadable(self, path: str, state: FileState | None, reason: str) -> None:
        """Keep why a file cannot be read; without a state it is tried again the next time."""
        row = (as_column(path), state and state.size, state and state.mtime_ns, reason)
        self.connection.execute("INSERT OR REPLACE INTO unreadable VALUES (?, ?, ?, ?)", row)

    def forget_unreadable(self, paths: Iterable[str]) -> None:
        """The files are readable now, or gone."""
        self.connection.executemany("DELETE FROM unreadable WHERE path = ?", ((as_column(path),) for path in paths))

    def with_content(self, content: int) -> list[tuple[int, str, bool]]:
        """(id, path, missing) of every photo of that content."""
        rows = self.connection.execute("SELECT id, path, missing FROM files WHERE content = ?", (content,))
        return [(id, as_path(path), bool(missing)) for id, path, missing in rows]

    def below(self, path: str) -> list[tuple[int, str]]:
        """(id, path) of every photo at the path or below it."""
        query = "SELECT id, path FROM files WHERE path = ?"
        rows = self.connection.execute(query, (as_column(path),)).fetchall()
        for bounds in ranges_below(path):
            rows += self.connection.execute("SELECT id, path FROM files WHERE path > ? AND path < ?", bounds)
        return [(id, as_path(column)) for id, column in rows]

    def id_at(self, path: str) -> int | None:
        """The photo of exactly this path, if there is one."""
        row = self.connection.execute("SELECT id FROM files WHERE path = ?", (as_column(path),)).fetchone()
        return row[0] if row else None

    def set_caption(self, id: int, caption: str | None, stamp: int) -> None:
        """The photo's caption and where it is from (see `caption_stamp`)."""
        query = "UPDATE files SET caption = ?, caption_stamp = ? WHERE id = ?"
        self.connection.execute(query, (caption, stamp, id))

    def set_fact(self, key: str, value: Any) -> None:
        """Keep a value under a key; None takes it away."""
        self.connection.execute("DELETE FROM meta WHERE key = ?", (key,))
        if value is not None:
            self.connection.execute("INSERT INTO meta VALUES (?, ?)", (key, value))
        rows = self.connection.execute("SELECT key, value FROM meta WHERE key != 'checksum'").fetchall()
        self.connection.execute("INSERT OR REPLACE INTO meta VALUES ('checksum', ?)", (checksums.of_rows(rows),))

    def add_place(self, path: str, kind: str) -> None:
        """Remember a folder or source that was added, or a drive that was mounted below one."""
        self.connection.execute("INSERT OR REPLACE INTO places VALUES (?, ?)", (as_column(path), kind))

    def forget_place(self, path: str) -> None:
        """Look through a folder no more; its photos stay."""
        self.connection.execute("DELETE FROM places WHERE path = ?", (as_column(path),))

    def forget_mounts(self, path: str) -> list[str]:
        """Forget the drives that were mounted at or below the path; which they were."""
        rows = self.connection.execute("SELECT path FROM places WHERE kind = 'mount'").fetchall()
        mounts = [place for (column,) in rows if is_below(place := as_path(column), path)]
        for mount in mounts:
            self.forget_place(mount)
        return mounts

    def relocate_places(self, before: str, after: str) -> None:
        """Let all that is known of paths at and below one folder, but for photos, hold of another folder.

        Files that could not be read there are forgotten, to be tried again.
        """
        for table in ("places", "caption_tables", "excluded", "unreadable"):
            for (column,) in self.connection.execute(f"SELECT path FROM {table}").fetchall():
                path = as_path(column)
                if not is_below(path, before):
                    continue
                if table != "unreadable":
                    query = f"UPDATE OR REPLACE {table} SET path = ? WHERE path = ?"
                    self.connection.execute(query, (as_column(rebased(path, before, after)), column))
                else:
                    self.connection.execute("DELETE FROM unreadable WHERE path = ?", (column,))
        for (column,) in self.connection.execute("SELECT DISTINCT folder FROM exclude_patterns").fetchall():
            if is_below(as_path(column), before):
                query = "UPDATE OR REPLACE exclude_patterns SET folder = ? WHERE folder = ?"
                self.connection.execute(query, (as_column(rebased(as_path(column), before, after)), column))

    def add_pattern(self, folder: str, pattern: str) -> None:
        """Leave out of the folder what matches the pattern."""
        self.connection.execute("INSERT OR IGNORE INTO exclude_patterns VALUES (?, ?)", (as_column(folder), pattern))

    def forget_patterns(self, folder: str) -> None:
        """Leave nothing out of the folder."""
        self.connection.execute("DELETE FROM exclude_patterns WHERE folder = ?", (as_column(folder),))

    def exclude(self, path: str) -> None:
        """Look through the path no more: forgotten where it was added itself, passed over where it lies below such."""
        below = [("path > ? AND path < ?", bounds) for bounds in ranges_below(path)]
        for condition, values in [("path = ?", (as_column(path),)), *below]:
            for table in ("places", "unreadable", "caption_tables", "excluded"):
                self.connection.execute(f"DELETE FROM {table} WHERE {condition}", values)
            self.connection.execute(f"DELETE FROM exclude_patterns WHERE {condition.replace('path', 'folder')}", values)
        rows = self.connection.execute("SELECT path FROM places WHERE kind != 'mount'").fetchall()
        # Of a source nobody knows where its pictures are, so it counts as above everything.
        if any(not os.path.isdir(place) or is_below(path, place) for place in (as_path(row) for (row,) in rows)):  # noqa: PTH112
            self.connection.execute("INSERT OR REPLACE INTO excluded VALUES (?)", (as_column(path),))

    def admit(self, path: str) -> None:
        """The path is given itself: it is no longer passed over."""
        for (column,) in self.connection.execute("SELECT path FROM excluded").fetchall():
            if is_below(path, as_path(column)):
                self.connection.execute("DELETE FROM excluded WHERE path = ?", (column,))

    def new_generation(self) -> None:
        """All vectors are others now."""
        self._is_new_generation = True

    def drop_orphans(self) -> None:
        """Drop contents that no file has any more: only at the end, for they may turn up under another name."""
        self.connection.execute(
            """DELETE FROM contents WHERE id IN (SELECT content FROM orphans)
            AND NOT EXISTS (SELECT 1 FROM files WHERE content = contents.id)"""
        )
        self.connection.execute("DELETE FROM orphans")

    def finish(self) -> None:
        """Write down the generation."""
        if self._is_new_generation:
            self.set_fact("generation", self.generation)

    def _note_orphan(self, content: int) -> None:
        self.connection.execute("INSERT OR IGNORE INTO orphans VALUES (?)", (content,))


def _split(path: str) -> tuple[str, str]:
    folder, _, name = readable(path).rpartition("/")
    return folder or "/", name


def _checked(facts: PhotoFacts) -> tuple[object, ...]:
    return *facts, checksums.of_values(facts)
