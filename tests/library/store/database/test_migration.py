import sqlite3

import pytest
from format_1 import save_as_format_1
from quick_encoder import QuickEncoder

from lexel.library.library import Library
from lexel.library.store.database import schema
from lexel.library.store.database.locking import LOCK_NAME
from lexel.library.store.database.tables import VERSION
from lexel.library.store.records import Records


@pytest.fixture
def old(tmp_path):
    return save_as_format_1(tmp_path, Library, QuickEncoder())


def version(folder) -> int:
    connection = sqlite3.connect(folder / "records.sqlite")
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return found


def columns_of(folder) -> dict[str, list[tuple]]:
    connection = sqlite3.connect(folder / "records.sqlite")
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master ORDER BY name")]
    columns = {
        name: sorted(row[1:4] for row in connection.execute(f"PRAGMA table_info('{name}')").fetchall())
        for name in names
    }
    connection.close()
    return columns


def test_an_old_library_is_brought_to_the_current_format_when_it_is_opened(old, tmp_path):
    with Library.open(old, QuickEncoder()) as library:
        assert [id for id, _ in library.records.search_keywords(["caption"], 5)] == [1]
        assert library.records.photo(1).keywords == ()
        assert library.refresh().unchanged == 2
    assert version(old) == VERSION
    assert columns_of(old) == columns_of(tmp_path / "current.lexel")


def test_an_upgraded_library_takes_words_in(old):
    with Records.open(old) as records:
        records.set_captions({1: None, 2: "another"})
        assert [id for id, _ in records.search_keywords(["another"], 5)] == [2]
        assert records.search_keywords(["old"], 5) == []
        records.rows("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)")


def test_an_upgrade_that_fails_leaves_the_old_library_as_it_was(old, monkeypatch):
    before = (old / "records.sqlite").read_bytes()
    statements = schema.upgrade.__globals__["_statements"]
    monkeypatch.setitem(schema.upgrade.__globals__, "_statements", lambda script: [*statements(script), "SELECT none"])
    with pytest.raises(sqlite3.OperationalError):
        Records.open(old)
    monkeypatch.undo()
    assert version(old) == 1
    assert (old / "records.sqlite").read_bytes()[100:] == before[100:]
    with Records.open(old) as records:
        assert records.count == 2


def test_an_old_library_that_cannot_be_written_is_read_as_it_is(old, monkeypatch):
    before = (old / "records.sqlite").read_bytes()
    monkeypatch.setattr(schema.os, "access", lambda *_: False)
    with Library.open(old, QuickEncoder()) as library:
        assert library.records.read_only
        assert [id for id, _ in library.records.search_keywords(["caption"], 5)] == [1]
        assert library.records.ids_where("keywords = '[]' AND width > 1").tolist() == [1, 2]
        assert library.records.photo(2).description is None
        assert len(library.vectors.vectors_of([1, 2])) == 2
        assert library.stats().photos == 2
    assert (old / "records.sqlite").read_bytes() == before
    assert {file.name for file in old.iterdir()} <= {"records.sqlite", LOCK_NAME}
