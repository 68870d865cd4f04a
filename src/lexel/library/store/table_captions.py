"""Captions and labels that metadata tables and sources give to photos, and the tables that they are from."""

from collections.abc import Iterable

from lexel.library.store.changes import Changes
from lexel.library.store.database.paths import as_column, as_path
from lexel.library.store.records import Records

TABLE_STAMP = -1  # of a caption that a table gave


def caption_tables(records: Records) -> dict[str, int]:
    """The metadata tables whose captions were taken, with their times in ns."""
    return {as_path(path): stamp for path, stamp in records.rows("SELECT path, stamp FROM caption_tables")}


def note_caption_table(changes: Changes, path: str, stamp: int) -> None:
    """Remember that the captions of a table of this time, in ns, were taken."""
    changes.connection.execute("INSERT OR REPLACE INTO caption_tables VALUES (?, ?)", (as_column(path), stamp))


def set_table_captions(changes: Changes, captions: Iterable[tuple[str, str | None, str | None]]) -> None:
    """Give photos, by their absolute paths, a caption and a label; paths that are not in the library are skipped."""
    changes.connection.executemany(
        """UPDATE files SET caption = ?1, caption_stamp = ?2, label = ?3
        WHERE path = ?4 AND (caption IS NOT ?1 OR caption_stamp IS NOT ?2 OR label IS NOT ?3)""",
        ((caption, TABLE_STAMP, label, as_column(path)) for path, caption, label in captions),
    )
