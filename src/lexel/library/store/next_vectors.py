"""The vectors of a model that takes another's place: they grow in a table of their own, and replace the old at once."""

from collections.abc import Iterable

import numpy as np

from lexel.library.store.changes import Changes
from lexel.library.store.database import checksums
from lexel.library.store.database.paths import as_path
from lexel.library.store.records import STORED_DTYPE, Records

_TABLE = """CREATE TABLE IF NOT EXISTS next_vectors (
    content INTEGER PRIMARY KEY REFERENCES contents ON DELETE CASCADE, vector BLOB NOT NULL, checksum INTEGER)"""
_LEFT = """SELECT contents.id, hash FROM contents WHERE contents.id NOT IN (SELECT content FROM next_vectors)
    AND EXISTS (SELECT 1 FROM files WHERE content = contents.id AND NOT missing) ORDER BY contents.id"""


def begin_next_vectors(records: Records, fingerprint: str) -> None:
    """Make room for the vectors of the model, and keep those that it has made already; another's are dropped."""
    with records.changing() as changes:
        if records.fact("next_fingerprint") != fingerprint:
            changes.connection.execute("DROP TABLE IF EXISTS next_vectors")
            changes.set_fact("next_fingerprint", fingerprint)
        changes.connection.execute(_TABLE)


def contents_left(records: Records) -> list[tuple[int, bytes]]:
    """(number, digest) of the contents that the next model has yet to embed."""
    return records.rows(_LEFT)


def next_vector_count(records: Records) -> int:
    """How many contents the next model has embedded."""
    return records.rows("SELECT count(*) FROM next_vectors")[0][0]


def add_next_vectors(changes: Changes, vectors: Iterable[tuple[int, np.ndarray]]) -> None:
    """Keep the next model's vector (D,) of each content, by the content's number."""
    rows = []
    for content, vector in vectors:
        stored = vector.astype(STORED_DTYPE).tobytes()
        rows.append((content, stored, checksums.of_bytes(stored)))
    changes.connection.executemany("INSERT OR REPLACE INTO next_vectors VALUES (?, ?, ?)", rows)


def replace_vectors(changes: Changes) -> list[str]:
    """Put the next model's vectors in the place of the old; returns the paths of photos without one, now vanished."""
    connection = changes.connection
    lost = connection.execute(
        "SELECT id, path FROM files WHERE NOT missing AND content NOT IN (SELECT content FROM next_vectors)"
    ).fetchall()
    changes.mark_missing(id for id, _ in lost)
    connection.execute("DROP TABLE vectors")
    connection.execute("ALTER TABLE next_vectors RENAME TO vectors")
    connection.execute("UPDATE files SET changed = ?", (changes.generation,))
    changes.set_fact("next_fingerprint", None)
    first = connection.execute("SELECT vector FROM vectors LIMIT 1").fetchone()
    changes.set_fact("dimensions", len(first[0]) // STORED_DTYPE.itemsize if first else None)
    changes.new_generation()
    return [as_path(path) for _, path in lost]
