"""What may go wrong around a library: kills, full disks, read-only media, two processes at once."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pictures import save
from quick_encoder import QuickEncoder

from lexel.errors import DataError, UsageError
from lexel.library.disk import indexing
from lexel.library.library import Library
from lexel.library.store.database import locking
from lexel.library.upkeep import verification

SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture
def pictures(tmp_path) -> Path:
    for number in range(40):
        save(tmp_path / "pictures" / f"{number:02}.png", number)
    return tmp_path / "pictures"


@pytest.fixture
def library(tmp_path, pictures) -> Iterator[Library]:
    with Library.open(tmp_path / "photos.lexel", QuickEncoder(), create=True) as library:
        yield library


def test_killed_at_random_moments_nothing_is_lost_doubled_or_half(tmp_path):
    """`killed.py` looks at every row after each kill; LEXEL_KILLS asks for more of them."""
    kills = os.environ.get("LEXEL_KILLS", "10")
    command = [sys.executable, str(SUPPORT / "killed.py"), str(tmp_path), kills, "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=SUPPORT)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["in_the_middle"] >= int(kills) // 3


def test_a_full_disk_is_told_and_what_was_committed_stays(library, pictures, monkeypatch):
    monkeypatch.setattr(indexing, "MIN_CHUNK", 4)
    monkeypatch.setattr(indexing, "MAX_CHUNK", 4)
    (pages,) = library.records.rows("PRAGMA page_count")[0]
    library.records.rows(f"PRAGMA max_page_count = {pages + 12}")
    with pytest.raises(DataError, match="The disk is full"):
        library.add(pictures)
    kept = library.records.count
    assert 0 < kept < 40
    library.close()
    with Library.open(library.path, QuickEncoder()) as again:
        assert again.records.rows("PRAGMA integrity_check") == [("ok",)]
        added = again.refresh()
        assert (added.unchanged, added.new) == (kept, 40 - kept)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 200 kB, where the system lets us have one."""
    folder = Path(tempfile.mkdtemp())
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("no small disk can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()


def test_a_disk_that_is_really_full(small_disk, pictures):
    with Library.open(small_disk / "photos.lexel", QuickEncoder(), create=True) as library:
        with pytest.raises(DataError, match="The disk is full"):
            library.add(pictures)
        assert library.records.rows("PRAGMA integrity_check") == [("ok",)]


def test_a_second_process_is_refused_with_a_sentence_and_may_search_meanwhile(library, pictures, monkeypatch):
    monkeypatch.setattr(locking, "LOCK_PATIENCE", 0.2)
    script = (
        "import sys, time\n"
        "from lexel.library.store.database.locking import only_writer\n"
        "from pathlib import Path\n"
        "with only_writer(Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", script, str(library.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match="Another process is changing"):
            library.add(pictures)
        assert library.records.count == 0
        other.kill()
    assert library.add(pictures).new == 40  # a killed holder's lock is gone with it


def test_two_threads_that_add_at_once_do_not_double_anything(library, pictures):
    """Each has the library open for itself; the second waits for the first."""
    done = []

    def add() -> None:
        with Library.open(library.path, QuickEncoder()) as own:
            done.append(own.add(pictures).new)

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [0, 0, 40]
    assert library.records.count == 40


READ_ONLY = """
import os, sys
from lexel.errors import UsageError
from lexel.library.library import Library
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from quick_encoder import QuickEncoder
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
with Library.open(sys.argv[1], QuickEncoder()) as library:
    assert library.records.read_only
    print(library.records.count, len(library.records.vectors()[0]), len(library.records.search_keywords(["png"], 99)))
    try:
        library.add(sys.argv[2])
    except UsageError as error:
        print(error)
"""


def test_a_library_on_read_only_media_is_searched_but_not_changed(pictures):
    folder = Path(tempfile.mkdtemp())  # pytest's own are for nobody else
    try:
        with Library.open(folder / "photos.lexel", QuickEncoder(), create=True) as library:
            library.add(pictures)
        for path in (folder / "photos.lexel").iterdir():
            path.chmod(0o444)
        for path in (folder / "photos.lexel", folder):
            path.chmod(0o555)
        command = [sys.executable, "-c", READ_ONLY, str(folder / "photos.lexel"), str(folder), str(SUPPORT)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stdout.startswith("40 40 40\n"), done.stderr
        assert "cannot be written here: it can be searched, not changed" in done.stdout
    finally:
        for path in (folder, folder / "photos.lexel"):
            path.chmod(0o755)
        shutil.rmtree(folder)


def test_verify_is_content_with_a_whole_library_and_sees_a_damaged_index(library, pictures):
    pytest.importorskip("faiss")
    library.add(pictures)
    assert library.verify() == []
    (codes,) = library.path.glob("*.faiss")
    codes.write_bytes(codes.read_bytes()[:-1] + b"x")
    assert "index of the vectors is damaged" in library.verify()[0].what
    (library.path / "vectors.json").unlink()
    assert library.verify() == []


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE vectors SET vector = x'00' WHERE content = 1", "a vector that is not the one written, of"),
        (
            "UPDATE vectors SET vector = zeroblob(96) WHERE content = 1",
            "a vector that is not the one written, of",
        ),
        ("DELETE FROM vectors WHERE content = 1", "have no vector"),
        ("UPDATE contents SET thumbnail = x'ffd8' WHERE id = 1", "a thumbnail that is not the one written"),
        ("DELETE FROM contents WHERE id = 1", "refer to what is not there"),
        ("INSERT INTO words (words) VALUES ('delete-all')", "index of words does not fit"),
        ("UPDATE vectors SET checksum = 1 WHERE content = 1", "a vector that is not the one"),
        ("UPDATE files SET taken = '1999-01-01T00:00:00' WHERE id = 1", "a size, date, place, camera or keywords"),
        ("UPDATE files SET tags = '[' WHERE id = 1", "an entry that is not as Lexel writes it"),
        ("UPDATE files SET path = '/elsewhere/0.png' WHERE id = 1", "an entry that is not as Lexel writes it"),
        ("UPDATE files SET path = 5 WHERE id = 1", "an entry that is not as Lexel writes it: 5"),
        ("UPDATE files SET caption = CAST(x'ff' AS TEXT) WHERE id = 1", "is damaged: Could not decode to UTF-8"),
        ("UPDATE meta SET value = 'other' WHERE key = 'fingerprint'", "knows of its model is not what was written"),
        ("UPDATE places SET kind = 'folxer'", "no kind of folder called 'folxer'"),
        ("DROP TRIGGER words_of_new", "words_of_new is not as Lexel makes it"),
    ],
)
def test_verify_finds_what_is_damaged(library, pictures, damage, said, monkeypatch):
    monkeypatch.setattr(verification, "_of_the_index", lambda _: [])
    library.add(pictures)
    connection = sqlite3.connect(library.path / "records.sqlite")
    connection.execute(damage)
    connection.commit()
    connection.close()
    problems = library.verify()
    assert said in problems[0].what
    assert problems[0].remedy


def test_a_repaired_library_is_whole_after_the_next_look_and_keeps_numbers_and_tags(library, pictures, monkeypatch):
    library.add(pictures)
    library.records.set_tags({1: ["kept"]})
    before = {photo.path: photo.id for photo in library.records.photos(library.records.vectors()[0])}
    connection = sqlite3.connect(library.path / "records.sqlite")
    connection.execute("UPDATE vectors SET vector = zeroblob(96) WHERE content = 1")
    connection.execute("UPDATE contents SET thumbnail = x'00' WHERE id = 2")
    connection.execute("UPDATE files SET taken = 'x' WHERE id = 3")
    connection.execute("INSERT INTO words (words) VALUES ('delete-all')")
    connection.commit()
    connection.close()
    assert verification.repair(library.records) == 3
    assert library.verify() == []
    assert library.refresh().embedded == 2
    assert library.verify() == []
    assert library.records.photo(1).tags == ("kept",)
    assert library.records.photo(3).taken is None
    assert {photo.path: photo.id for photo in library.records.photos(library.records.vectors()[0])} == before


def test_bytes_that_are_flipped_anywhere_in_the_database_are_seen(library, pictures):
    """Each at a place that a row is kept in: what is not in use may be anything."""
    library.add(pictures)
    library.close()
    file = library.path / "records.sqlite"
    content = file.read_bytes()
    with sqlite3.connect(file) as connection:
        (thumbnail, vector), *_ = connection.execute(
            "SELECT thumbnail, vector FROM contents JOIN vectors ON content = id"
        ).fetchall()
    for at in (content.index(thumbnail) + len(thumbnail) // 2, content.index(vector) + 1):
        file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with Library.open(library.path, QuickEncoder()) as again:
            assert "not the one written" in again.verify()[0].what


def test_verify_finds_a_damaged_file(library, pictures):
    library.add(pictures)
    library.close()
    file = library.path / "records.sqlite"
    content = bytearray(file.read_bytes())
    thumbnails = content.index(b"\xff\xd8\xff")  # somewhere in a page of the largest table
    start = thumbnails - thumbnails % 4096
    content[start : start + 8] = b"\xaa" * 8
    file.write_bytes(content)
    with Library.open(library.path, QuickEncoder()) as again:
        assert "damaged" in again.verify()[0].what
