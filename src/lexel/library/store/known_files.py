"""Files as the records have them, to be compared with the disk."""

from collections.abc import Iterable
from typing import NamedTuple

from lexel.library.store.database.paths import as_column, as_path, ranges_below
from lexel.library.store.records import Records

_KNOWN = "SELECT path, id, size, mtime_ns, settled, content, missing, caption_stamp, keywords IS NOT NULL FROM files"


class KnownFile(NamedTuple):
    """A photo as the records have it."""

    id: int
    size: int
    mtime_ns: int
    settled: int
    content: int
    missing: int
    caption_stamp: int
    has_facts: int  # 0: an older Lexel did not read all of them


def known_files(records: Records, folders: Iterable[str], files: Iterable[str]) -> dict[str, KnownFile]:
    """The photos below the folders and at the files, by their paths, all of one state of the records."""
    rows: list[tuple] = []
    with records.reading() as connection:
        for folder in folders:
            for bounds in ranges_below(folder):
                rows += connection.execute(f"{_KNOWN} WHERE path > ? AND path < ?", bounds)
        for path in files:
            rows += connection.execute(f"{_KNOWN} WHERE path = ?", (as_column(path),))
    return {as_path(path): KnownFile(*row) for path, *row in rows}


def unreadable_states(records: Records) -> dict[str, tuple[int | None, int | None]]:
    """(size, mtime_ns) of every file that could not be read, by its path; None where nobody could look."""
    rows = records.rows("SELECT path, size, mtime_ns FROM unreadable")
    return {as_path(path): (size, mtime_ns) for path, size, mtime_ns in rows}
