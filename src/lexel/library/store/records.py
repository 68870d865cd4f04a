"""The truth of a library: its photos, their vectors, thumbnails and words, in SQLite (`schema` has the tables).

Reading is free to every process and thread at any time; `changing` is for one writer at a time. What a transaction
brings is there as a whole or not at all, whenever the process or the power ends.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from lexel.errors import UsageError
from lexel.files import make_folder
from lexel.library.store.changes import Changes
from lexel.library.store.database.budget import as_refusal, set_budget
from lexel.library.store.database.locking import only_writer
from lexel.library.store.database.paths import as_path, readable
from lexel.library.store.database.schema import DATABASE, check_for_others, connect, translated_errors

ROWS_PER_BLOCK = 65536  # rows
STORED_DTYPE = np.dtype("<f2")

_PHOTO = """SELECT files.id, files.path, size, mtime_ns, hash, width, height, taken, latitude, longitude, camera,
    caption, CASE WHEN label IS NULL THEN tags ELSE json_insert(tags, '$[#]', label) END, missing,
    coalesce(keywords, '[]'), description
    FROM files JOIN contents ON contents.id = files.content WHERE files.id IN (SELECT value FROM json_each(?))"""
_VECTORS = "SELECT files.id, vector FROM files JOIN vectors USING (content) WHERE NOT missing"
_AMONG = "files.id IN (SELECT value FROM json_each(?))"


@dataclass(frozen=True, slots=True)
class Photo:
    """One picture file of a library."""

    id: int  # never another photo's, also when this one is removed
    path: str  # absolute; bytes that are no UTF-8 stand as surrogates, as `os` takes them
    size: int  # bytes
    mtime_ns: int
    hash: str  # of the content: 16 bytes of BLAKE2b, hex
    width: int  # pixels, upright
    height: int
    taken: str | None  # local time, ISO 8601: 2024-05-31T18:02:11
    latitude: float | None  # degrees, north and east positive
    longitude: float | None
    camera: str | None
    caption: str | None  # several have a line each
    tags: tuple[str, ...]
    missing: bool  # vanished from the disk: never found by a search, kept in case it comes back
    keywords: tuple[str, ...] = ()  # in the file itself
    description: str | None = None  # in the file itself: title and description, a line each

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0] or "/"

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def shown(self) -> str:
        """The path fit for people, UTF-8 and JSON."""
        return readable(self.path)


class Records:
    """The records of one library folder. Open with `Records.open`, close when done; usable by any thread.

    Whatever reads or writes raises DataError when the file is damaged or the disk full, and UsageError when the records
    have been closed.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection, read_only: bool) -> None:
        self.folder = folder
        self.read_only = read_only
        self._connection = connection
        self._is_open = True
        self._busy = threading.RLock()  # a transaction is seen whole by other threads of this process too

    @classmethod
    def open(cls, folder: Path | str, *, create: bool = False) -> Self:
        """The records in the library's folder; with `create` an empty library is made where there is none.

        Raises UsageError when there is no library and DataError when it is damaged or of another version.
        """
        folder = Path(folder).expanduser()
        if create and not (folder / DATABASE).exists():
            make_folder(folder)
            check_for_others(folder)
        return cls(folder, *connect(folder, create=create))

    def close(self) -> None:
        with self._busy:
            self._is_open = False
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def fingerprint(self) -> str | None:
        """Of the model that all vectors are from; None before the first."""
        return self.fact("fingerprint")

    @property
    def dimensions(self) -> int:
        """D of the vectors; 0 before the first."""
        return self.fact("dimensions") or 0

    @property
    def model(self) -> str | None:
        """The name or folder that the model was given by, for `lexel.load`."""
        return self.fact("model")

    @property
    def generation(self) -> int:
        """Grows whenever a photo to be searched comes, goes or gets another vector."""
        return int(self.fact("generation"))

    @property
    def count(self) -> int:
        """How many photos there are to search."""
        return self._one("SELECT count(*) FROM files WHERE NOT missing")

    def fact(self, key: str) -> Any:
        """What is kept under the key, else None."""
        rows = self.rows("SELECT value FROM meta WHERE key = ?", (key,))
        return rows[0][0] if rows else None

    def photo(self, id: int) -> Photo:
        """One photo, also a missing one. Raises UsageError when there is none of that number."""
        return self.photos([id])[0]

    def photos(self, ids: Iterable[int]) -> list[Photo]:
        """The photos in the order asked. Raises UsageError for a number that there is not."""
        asked = [int(id) for id in ids]
        found = {row[0]: _photo(row) for row in self.rows(_PHOTO, (json.dumps(asked),))}
        unknown = next((id for id in asked if id not in found), None)
        if unknown is not None:
            raise UsageError(f"{self.folder} has no photo {unknown}.")
        return [found[id] for id in asked]

    def ids_of(self, path: str) -> list[int]:
        """The photos at this path, or below it when it is a folder."""
        with self.reading() as connection:
            return [id for id, *_ in Changes(connection, 0).below(path)]

    def thumbnail(self, id: int) -> bytes:
        """A JPEG of at most 256 pixels a side, upright. Raises UsageError when there is no such photo."""
        query = "SELECT thumbnail FROM contents JOIN files ON files.content = contents.id WHERE files.id = ?"
        rows = self.rows(query, (int(id),))
        if not rows:
            raise UsageError(f"{self.folder} has no photo {id}.")
        return rows[0][0]

    def vectors(self, ids: Iterable[int] | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Ids (N,) int64, ascending, and unit vectors (N, D) float16 of all photos to search or of these."""
        if ids is not None:
            asked = json.dumps([int(id) for id in ids])
            return self._vectors(self.rows(f"{_VECTORS} AND {_AMONG} ORDER BY files.id", (asked,)))
        blocks = list(self.vector_blocks())
        if not blocks:
            return self._vectors([])
        return np.concatenate([ids for ids, _ in blocks]), np.concatenate([vectors for _, vectors in blocks])

    def vector_blocks(self, rows: int = ROWS_PER_BLOCK) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """What `vectors` gives of all photos, in blocks of so many rows; all of one generation."""
        self._check_open()
        own, _ = connect(self.folder)  # so that nobody waits while the blocks are worked on
        with closing(own), translated_errors(self.folder):
            cursor = own.execute(f"{_VECTORS} ORDER BY files.id")
            while found := cursor.fetchmany(rows):
                yield self._vectors(found)

    def changed_since(self, generation: int) -> np.ndarray:
        """Ids (N,) int64, ascending, of the photos to search that came or got another vector after that generation."""
        return self._ids("SELECT id FROM files WHERE changed > ? AND NOT missing ORDER BY id", (generation,))

    def ids_where(self, sql: str, parameters: Sequence[Any] = ()) -> np.ndarray:
        """Ids (N,) int64, ascending, of the photos for which this condition over the view `photos` holds."""
        return self._ids(f"SELECT id FROM photos WHERE {sql} ORDER BY id", parameters)

    def search_keywords(
        self, words: Sequence[str], limit: int, ids: Iterable[int] | None = None
    ) -> list[tuple[int, float]]:
        """(id, BM25, lower is better) of the best photos that have all of the words, the last perhaps only begun.

        In captions, tags, keywords and descriptions in the files, names and folders. Only of the photos `ids`, where
        they are given.
        """
        # Quoted, so that nothing in them is taken for an operator.
        match = " ".join('"{}"'.format(word.replace('"', '""')) for word in words) + "*"
        among = "" if ids is None else f"AND {_AMONG}"
        query = f"""SELECT words.rowid, rank FROM words JOIN files ON files.id = words.rowid
            WHERE words MATCH ? AND NOT missing {among} ORDER BY rank, words.rowid LIMIT ?"""
        given = () if ids is None else (json.dumps([int(id) for id in ids]),)
        return self.rows(query, (match, *given, limit))

    def unreadable(self) -> list[tuple[str, str]]:
        """(path, reason) of every file that could not be read, sorted."""
        return sorted((as_path(path), reason) for path, reason in self.rows("SELECT path, reason FROM unreadable"))

    def set_tags(self, tags: "dict[int, Iterable[str]]") -> None:
        """Give photos other tags; the labels of a source stay. Nobody else's change is lost or waited for long."""
        self._annotate("tags", {id: json.dumps(list(given), ensure_ascii=False) for id, given in tags.items()})

    def set_captions(self, captions: "dict[int, str | None]") -> None:
        """Give photos other captions."""
        self._annotate("caption", captions)

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query."""
        with self.reading() as connection:
            return connection.execute(query, parameters).fetchall()

    def rows_within_budget(self, query: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query that a user has written in part. Raises QueryRefusedError (see `budget`)."""
        self._check_open()
        own, _ = connect(self.folder)  # so that its limits are no other query's, and nobody waits for it
        with closing(own), translated_errors(self.folder):
            set_budget(own)
            try:
                return own.execute(query, parameters).fetchall()
            except sqlite3.Error as error:
                refusal = as_refusal(error)
                if refusal is None:
                    raise
                raise refusal from None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for queries that see one state of the library while the block lasts."""
        with self._busy, translated_errors(self.folder):
            self._check_open()
            self._connection.execute("SAVEPOINT reading")
            try:
                yield self._connection
            finally:
                if self._connection.in_transaction:  # a full disk ends a transaction by itself
                    self._connection.execute("RELEASE reading")

    @contextmanager
    def changing(self) -> Iterator[Changes]:
        """One transaction: all that is changed in the block, or nothing. Be the only writer (`locking`) meanwhile."""
        if self.read_only:
            raise UsageError(f"{self.folder} cannot be written here: it can be searched, not changed.")
        with self._busy, translated_errors(self.folder):
            self._check_open()
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                changes = Changes(self._connection, self.generation + 1)
                yield changes
                changes.finish()
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _check_open(self) -> None:
        if not self._is_open:
            raise UsageError(
                f"The library {self.folder} has been closed. Open it again, or use it before it is closed."
            )

    def _annotate(self, column: str, values: "dict[int, Any]") -> None:
        rows = [(value, int(id)) for id, value in values.items()]
        with only_writer(self.folder), self.changing() as changes:
            changes.connection.executemany(f"UPDATE files SET {column} = ? WHERE id = ?", rows)

    def _one(self, query: str) -> Any:
        return self.rows(query)[0][0]

    def _vectors(self, rows: Sequence[tuple[int, bytes]]) -> tuple[np.ndarray, np.ndarray]:
        dimensions = len(rows[0][1]) // STORED_DTYPE.itemsize if rows else self.dimensions
        flat = np.frombuffer(b"".join(vector for _, vector in rows), STORED_DTYPE)
        return np.array([id for id, _ in rows], np.int64), flat.reshape(len(rows), dimensions)

    def _ids(self, query: str, parameters: Sequence[Any]) -> np.ndarray:
        return np.fromiter((id for (id,) in self.rows(query, parameters)), np.int64)


def _photo(row: tuple) -> Photo:
    values = dict(zip(Photo.__slots__, row, strict=True))
    values["path"], values["hash"] = as_path(values["path"]), values["hash"].hex()
    values["tags"], values["missing"] = tuple(json.loads(values["tags"])), bool(values["missing"])
    values["keywords"] = tuple(json.loads(values["keywords"]))
    return Photo(**values)
