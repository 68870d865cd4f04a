import os
import sqlite3

from hypothesis import given
from hypothesis import strategies as st

from lexel.library.store.database.paths import absolute, as_column, as_path, is_below, outermost, ranges_below

names = st.text("ab /", min_size=0, max_size=5)


@given(st.lists(names.map(lambda name: os.path.normpath(f"/{name.strip('/')}")), max_size=6))
def test_outermost_covers_all_and_none_twice(paths):
    kept = outermost(paths)
    assert all(any(is_below(path, root) for root in kept) for path in paths)
    assert not any(a != b and is_below(a, b) for a in kept for b in kept)
    assert len(set(kept)) == len(kept)


def test_being_below_goes_by_whole_names():
    assert is_below("/a/b", "/a")
    assert is_below("/a", "/a")
    assert is_below("/a", "/")
    assert not is_below("/ab", "/a")


def test_paths_become_absolute_and_normal_and_links_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    assert absolute("link/../link/x") == f"{tmp_path}/link/x"
    assert absolute("~/x") == os.path.expanduser("~/x")  # noqa: PTH111


@given(st.binary(min_size=1, max_size=8).filter(lambda name: b"\0" not in name and b"/" not in name))
def test_every_file_name_survives_its_column(name):
    path = os.fsdecode(b"/" + name)
    column = as_column(path)
    assert as_path(column) == path
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE files (path)")
    connection.executemany("INSERT INTO files VALUES (?)", [(column,), (as_column(f"{path}/x"),), ("/zz/x",)])
    below = [
        as_path(row)
        for bounds in ranges_below(path)
        for (row,) in connection.execute("SELECT path FROM files WHERE path > ? AND path < ?", bounds)
    ]
    assert below == [f"{path}/x"] or name == b"zz"
