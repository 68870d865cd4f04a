"""The tables of a library's `records.sqlite`.

A path is TEXT where it is UTF-8 and a BLOB of its bytes where it is not; `folder` and `name` are the same for reading
and searching, with \\x.. for what is no text. A file refers to its content, so that copies share one embedding, and
what a move changes is one path. Vectors have a table of their own because re-embedding puts another in its place.
"""

VERSION = 2
APPLICATION = 0x4C584C31  # "LXL1", marks the file as ours

PATTERNS = """
CREATE TABLE exclude_patterns (folder, pattern TEXT NOT NULL, PRIMARY KEY (folder, pattern)) WITHOUT ROWID;
"""
PHOTOS = """SELECT
    id, CASE folder WHEN '/' THEN '/' || name ELSE folder || '/' || name END AS path, folder, name, size, width, height,
    taken, latitude, longitude, camera, caption,
    CASE WHEN label IS NULL THEN tags ELSE json_insert(tags, '$[#]', label) END AS tags,
    CASE WHEN width > height THEN 'landscape' WHEN width < height THEN 'portrait' ELSE 'square' END AS orientation,
    added, coalesce(keywords, '[]') AS keywords, description
FROM files WHERE NOT missing"""
SEARCHED = f"""
CREATE VIRTUAL TABLE words USING fts5(
    caption, label, tags, name, folder, keywords, description,
    content='files', content_rowid='id', tokenize='unicode61 remove_diacritics 2'
);
CREATE TRIGGER words_of_new AFTER INSERT ON files BEGIN
    INSERT INTO words (rowid, caption, label, tags, name, folder, keywords, description)
    VALUES (new.id, new.caption, new.label, new.tags, new.name, new.folder, new.keywords, new.description);
END;
CREATE TRIGGER words_of_removed AFTER DELETE ON files BEGIN
    INSERT INTO words (words, rowid, caption, label, tags, name, folder, keywords, description)
    VALUES ('delete', old.id, old.caption, old.label, old.tags, old.name, old.folder, old.keywords, old.description);
END;
CREATE TRIGGER words_of_changed AFTER UPDATE OF caption, label, tags, name, folder, keywords, description ON files BEGIN
    INSERT INTO words (words, rowid, caption, label, tags, name, folder, keywords, description)
    VALUES ('delete', old.id, old.caption, old.label, old.tags, old.name, old.folder, old.keywords, old.description);
    INSERT INTO words (rowid, caption, label, tags, name, folder, keywords, description)
    VALUES (new.id, new.caption, new.label, new.tags, new.name, new.folder, new.keywords, new.description);
END;
CREATE VIEW photos AS {PHOTOS};
"""
SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO meta VALUES ('generation', 0);
CREATE TABLE contents (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, thumbnail BLOB NOT NULL,
    thumbnail_checksum INTEGER);
CREATE TABLE vectors (content INTEGER PRIMARY KEY REFERENCES contents ON DELETE CASCADE, vector BLOB NOT NULL,
    checksum INTEGER);
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
    keywords TEXT, -- in the file, a JSON list; NULL: not read yet, by an older Lexel
    description TEXT, -- in the file: title and description
    facts_checksum INTEGER, -- of all from width to description
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
CREATE TABLE excluded (path PRIMARY KEY) WITHOUT ROWID; -- removed by the user
{PATTERNS}{SEARCHED}PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
COMMIT;
"""
