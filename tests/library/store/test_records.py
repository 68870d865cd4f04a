import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest

from lexel.errors import DataError, UsageError
from lexel.library.store.changes import FileState, PhotoFacts
from lexel.library.store.database import locking, schema
from lexel.library.store.records import STORED_DTYPE, Records

D = 8


@pytest.fixture
def records(tmp_path):
    with Records.open(tmp_path / "l.lexel", create=True) as records:
        with records.changing() as changes:
            changes.set_fact("dimensions", D)
        yield records


def unit(seed: int) -> np.ndarray:
    vector = np.random.default_rng(seed).normal(size=D)
    return (vector / np.linalg.norm(vector)).astype(STORED_DTYPE)


def put(records: Records, path: str, seed: int, facts: PhotoFacts | None = None) -> int:
    with records.changing() as changes:
        content = changes.content(bytes([seed]) * 16)
        content = content or changes.add_content(bytes([seed]) * 16, b"jpeg", unit(seed).tobytes())
        return changes.add_file(path, FileState(10, 20), content, facts or PhotoFacts(4, 3))


def test_what_is_put_in_comes_out(records):
    id = put(records, "/a/b.jpg", 1, PhotoFacts(4, 3, "2024-01-02T03:04:05", 1.5, -2.5, "Canon"))
    photo = records.photo(id)
    assert (photo.path, photo.folder, photo.name) == ("/a/b.jpg", "/a", "b.jpg")
    assert (photo.size, photo.mtime_ns, photo.hash) == (10, 20, "01" * 16)
    assert (photo.width, photo.height, photo.taken) == (4, 3, "2024-01-02T03:04:05")
    assert (photo.latitude, photo.longitude, photo.camera) == (1.5, -2.5, "Canon")
    assert (photo.caption, photo.tags, photo.missing) == (None, (), False)
    assert records.thumbnail(id) == b"jpeg"


def test_vectors_come_in_the_order_of_ids_whole_or_in_blocks(records):
    ids = [put(records, f"/{number}.jpg", number % 5) for number in range(12)]
    found, vectors = records.vectors()
    assert found.tolist() == ids
    assert vectors.dtype == np.float16
    np.testing.assert_array_equal(vectors, [unit(number % 5) for number in range(12)])
    blocks = list(records.vector_blocks(5))
    assert [len(block) for block, _ in blocks] == [5, 5, 2]
    np.testing.assert_array_equal(np.concatenate([block for _, block in blocks]), vectors)
    some, of_some = records.vectors([ids[7], ids[2]])
    assert some.tolist() == [ids[2], ids[7]]
    np.testing.assert_array_equal(of_some, vectors[[2, 7]])


def test_no_vectors_are_no_rows_of_the_right_width(records):
    assert [part.shape for part in records.vectors()] == [(0,), (0, D)]


def test_vanished_photos_are_known_but_not_to_be_searched(records):
    ids = [put(records, f"/{number}.jpg", number) for number in range(3)]
    with records.changing() as changes:
        assert changes.mark_missing([ids[1]]) == 1
        assert changes.mark_missing([ids[1]]) == 0
    assert records.vectors()[0].tolist() == [ids[0], ids[2]]
    assert records.ids_where("1").tolist() == [ids[0], ids[2]]
    assert [id for id, _ in records.search_keywords(["jpg"], 9)] == [ids[0], ids[2]]
    assert records.count == 2
    assert records.photo(ids[1]).missing


def test_the_generation_grows_only_when_vectors_come_or_go(records):
    seen = [records.generation]

    def grew() -> bool:
        seen.append(records.generation)
        return seen[-1] > seen[-2]

    id = put(records, "/1.jpg", 1)
    assert grew()
    records.set_tags({id: ["x"]})
    records.set_captions({id: "y"})
    with records.changing() as changes:
        changes.move_file(id, "/2.jpg", FileState(1, 1))
    assert not grew()
    with records.changing() as changes:
        changes.mark_missing([id])
    assert grew()
    with records.changing() as changes:
        changes.mark_found([id])
    assert grew()
    with records.changing() as changes:
        changes.remove_files([id])
    assert grew()


def test_what_changed_since_a_generation_is_told(records):
    first = put(records, "/1.jpg", 1)
    before = records.generation
    second = put(records, "/2.jpg", 2)
    assert records.changed_since(before).tolist() == [second]
    assert records.changed_since(0).tolist() == [first, second]


def test_a_content_without_files_goes_with_its_vector(records):
    ids = [put(records, "/1.jpg", 1), put(records, "/2.jpg", 1)]
    for id, left in zip(ids, (1, 0), strict=True):
        with records.changing() as changes:
            changes.remove_files([id])
            changes.drop_orphans()
        assert records.rows("SELECT (SELECT count(*) FROM vectors), (SELECT count(*) FROM contents)") == [(left, left)]


def test_numbers_are_never_given_again(records):
    first = put(records, "/1.jpg", 1)
    with records.changing() as changes:
        changes.remove_files([first])
    assert put(records, "/1.jpg", 1) > first


def test_photos_come_in_the_order_asked_and_unknown_ones_are_refused(records):
    ids = [put(records, f"/{number}.jpg", number) for number in range(3)]
    assert [photo.id for photo in records.photos([ids[2], ids[0], ids[2]])] == [ids[2], ids[0], ids[2]]
    for ask in (records.photo, records.thumbnail):
        with pytest.raises(UsageError, match="has no photo 99"):
            ask(99)


def test_words_are_found_in_captions_tags_and_names_and_follow_changes(records):
    id = put(records, "/Holiday in Spain/IMG_beach-01.jpg", 1)
    records.set_captions({id: "Café au lait"})
    records.set_tags({id: ["zebra"]})
    for word in ("spain", "beach", "cafe", "zebra"):
        assert [found for found, _ in records.search_keywords([word], 5)] == [id]
    records.set_tags({id: ["lion"]})
    assert records.search_keywords(["zebra"], 5) == []


def test_the_view_for_conditions_has_what_is_promised(records):
    id = put(records, "/a/b.jpg", 1, PhotoFacts(4, 3, "2024-01-02T03:04:05", 1.5, -2.5, "Canon"))
    names = [row[1] for row in records.rows("PRAGMA table_info(photos)")]
    assert names == [
        *("id", "path", "folder", "name", "size", "width", "height", "taken", "latitude", "longitude"),
        *("camera", "caption", "tags", "orientation", "added", "keywords", "description"),
    ]
    for condition in ("path = '/a/b.jpg'", "orientation = 'landscape'", "taken >= '2024' AND camera LIKE 'can%'"):
        assert records.ids_where(condition).tolist() == [id]
    assert records.ids_where("width > ?", (5,)).tolist() == []


def test_a_change_that_fails_leaves_all_as_it_was(records):
    put(records, "/1.jpg", 1)
    state = records.generation, records.count

    def fail() -> None:
        with records.changing() as changes:
            changes.remove_files([1])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (records.generation, records.count) == state


def test_other_threads_and_openings_see_whole_transactions(records):
    seen = []
    with Records.open(records.folder) as other:
        with records.changing() as changes:
            content = changes.add_content(b"x" * 16, b"", unit(1).tobytes())
            changes.add_file("/1.jpg", FileState(1, 1), content, PhotoFacts())
            seen.append(other.count)
            thread = threading.Thread(target=lambda: seen.append(records.count))
            thread.start()
        thread.join()
        seen.append(other.count)
    assert seen == [0, 1, 1]


def test_folders_of_other_things_are_refused(tmp_path):
    with pytest.raises(UsageError, match="There is no library"):
        Records.open(tmp_path / "new.lexel")
    (tmp_path / "a.jpg").touch()
    with pytest.raises(UsageError, match="is a folder of other things"):
        Records.open(tmp_path, create=True)
    with pytest.raises(UsageError, match="Cannot make the folder"):
        Records.open(tmp_path / "a.jpg" / "l.lexel", create=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


def test_what_a_killed_maker_left_is_taken_up(tmp_path):
    folder = tmp_path / "l.lexel"
    folder.mkdir()
    (folder / "records.sqlite").touch()
    with pytest.raises(UsageError, match=r"is a folder of other things|There is no library"):
        Records.open(folder)
    with Records.open(folder, create=True) as records:
        assert records.count == 0


def make_other(folder: Path, version: int, application: int = schema.APPLICATION) -> Path:
    """A library such as another version of Lexel might have made."""
    folder.mkdir()
    connection = sqlite3.connect(folder / "records.sqlite")
    connection.execute("CREATE TABLE photos (path TEXT, vector BLOB)")
    connection.execute(f"PRAGMA application_id = {application}")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.commit()
    connection.close()
    return folder


@pytest.mark.parametrize("version", [0, 99])
def test_other_versions_are_refused_and_not_touched(tmp_path, version):
    folder = make_other(tmp_path / "l.lexel", version)
    before = (folder / "records.sqlite").read_bytes()
    for create in (False, True):
        with pytest.raises(DataError, match=f"has format {version}; this Lexel reads formats 1 to 2"):
            Records.open(folder, create=create)
    assert (folder / "records.sqlite").read_bytes()[28:] == before[28:]


def test_other_programs_files_and_garbage_are_refused(tmp_path):
    with pytest.raises(DataError, match="is not a library of Lexel's"):
        Records.open(make_other(tmp_path / "l.lexel", 1, application=7))
    (tmp_path / "g.lexel").mkdir()
    (tmp_path / "g.lexel" / "records.sqlite").write_bytes(b"garbage" * 1000)
    with pytest.raises(DataError, match="is damaged"):
        Records.open(tmp_path / "g.lexel")


def test_one_writer_at_a_time(records, monkeypatch):
    monkeypatch.setattr(locking, "LOCK_PATIENCE", 0.3)
    with locking.only_writer(records.folder):
        with pytest.raises(UsageError, match="Another process is changing"), locking.only_writer(records.folder, 0.2):
            pass
        waiting = threading.Timer(0.3, lambda: None)
        waiting.start()
    with locking.only_writer(records.folder, 0.2):
        pass


def test_records_that_have_been_closed_say_so(records):
    records.close()
    records.close()
    uses = [
        lambda: records.count,
        lambda: records.photos([1]),
        lambda: list(records.vector_blocks()),
        lambda: records.rows_within_budget("SELECT 1"),
        lambda: records.search_keywords(["x"], 1),
        lambda: records.set_tags({1: ["x"]}),
    ]
    for use in uses:
        with pytest.raises(UsageError, match="has been closed"):
            use()
