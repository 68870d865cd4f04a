"""A library of format 1, as Lexel wrote it before files had keywords."""

import sqlite3
from pathlib import Path

from pictures import save

_TABLES = """CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
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
PRAGMA application_id = 1280855089;
PRAGMA user_version = 1;
"""


def make_format_1(source: Path, folder: Path) -> Path:
    """Write the photos, vectors and words of a library of the current format as a library of format 1."""
    folder.mkdir()
    connection = sqlite3.connect(folder / "records.sqlite")
    connection.executescript(_TABLES)
    connection.execute("ATTACH ? AS source", (str(source / "records.sqlite"),))
    connection.execute("DELETE FROM meta")
    for table in ("meta", "contents", "vectors", "files", "places", "excluded"):
        names = ", ".join(row[1] for row in connection.execute(f"PRAGMA main.table_info({table})"))
        connection.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM source.{table}")
    connection.commit()
    connection.close()
    return folder


def save_as_format_1(tmp_path: Path, library: type, encoder: object) -> Path:
    """A library of format 1 with two pictures, the first with the caption "a caption of old"."""
    for number in range(2):
        save(tmp_path / "pictures" / f"{number}.png", number)
    with library.open(tmp_path / "current.lexel", encoder, create=True) as current:
        current.add(tmp_path / "pictures")
        current.records.set_captions({1: "a caption of old"})
    return make_format_1(tmp_path / "current.lexel", tmp_path / "old.lexel")
