"""Libraries of older formats: they are brought to the current one when they are opened, in one transaction.

Format 1 had no keywords and descriptions of files, no patterns of what to leave out, and no checksums. A library that
cannot be written is shown as if it had them: views of a connection's own stand before its tables.
"""

import sqlite3

from lexel.library.store.database.tables import PATTERNS, PHOTOS, SEARCHED, VERSION

OLDEST_VERSION = 1  # that is still read

_FROM_1 = f"""
ALTER TABLE files ADD COLUMN keywords TEXT;
ALTER TABLE files ADD COLUMN description TEXT;
ALTER TABLE files ADD COLUMN facts_checksum INTEGER;
ALTER TABLE contents ADD COLUMN thumbnail_checksum INTEGER;
ALTER TABLE vectors ADD COLUMN checksum INTEGER;
DROP VIEW photos;
DROP TRIGGER words_of_new;
DROP TRIGGER words_of_removed;
DROP TRIGGER words_of_changed;
DROP TABLE words;
{PATTERNS}{SEARCHED}INSERT INTO words (words) VALUES ('rebuild');
"""
_SHOWN_FROM_1 = f"""
CREATE TEMP VIEW files AS SELECT *, NULL AS keywords, NULL AS description, NULL AS facts_checksum FROM main.files;
CREATE TEMP VIEW contents AS SELECT *, NULL AS thumbnail_checksum FROM main.contents;
CREATE TEMP VIEW vectors AS SELECT *, NULL AS checksum FROM main.vectors;
CREATE TEMP VIEW photos AS {PHOTOS};
CREATE TEMP TABLE exclude_patterns (folder, pattern);
"""


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring the tables to the current format, unless another process has done so. Be the only writer meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == OLDEST_VERSION:
            for statement in _statements(_FROM_1):
                connection.execute(statement)
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'next_vectors'").fetchone():
                connection.execute("ALTER TABLE next_vectors ADD COLUMN checksum INTEGER")  # re-embedding was cut off
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def show_as_current(connection: sqlite3.Connection) -> None:
    """Let queries find what the current format has, in a library that cannot be written."""
    for statement in _statements(_SHOWN_FROM_1):
        connection.execute(statement)


def _statements(script: str) -> list[str]:
    """Those of a script, for `executescript` would commit."""
    statements, begun = [], ""
    for line in script.splitlines(keepends=True):
        begun += line
        if sqlite3.complete_statement(begun):
            statements.append(begun)
            begun = ""
    return [statement for statement in statements if statement.strip()]
