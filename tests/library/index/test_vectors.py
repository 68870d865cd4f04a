import errno
import shutil

import faiss
import numpy as np
import pytest
from filled_records import filled, put, unit_vectors

from lexel.library.index import codes, index_files, vectors
from lexel.library.index.vectors import Vectors
from lexel.library.store.records import Records

D = 24


@pytest.fixture
def records(tmp_path):
    with filled(tmp_path / "l.lexel", unit_vectors(600, D)) as records:
        yield records


@pytest.fixture
def queries() -> np.ndarray:
    return unit_vectors(5, D, seed=1).astype(np.float32)


@pytest.fixture
def lists(monkeypatch):
    """Let small libraries be kept as large ones are."""
    monkeypatch.setattr(codes, "MAX_SCANNED_VECTORS", 100)
    monkeypatch.setattr(vectors, "MAX_SCANNED_VECTORS", 100)


def brute_force(records: Records, queries: np.ndarray, count: int, ids=None) -> tuple[np.ndarray, np.ndarray]:
    known, stored = records.vectors(ids)
    stored = stored.astype(np.float64)
    stored /= np.linalg.norm(stored, axis=1, keepdims=True)
    scores = queries.astype(np.float64) @ stored.T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(scores, order, 1), known[order]


def check_exact(records: Records, queries: np.ndarray, count: int = 10, ids=None) -> None:
    scores, found = Vectors.open(records.folder, records).search(queries, count, ids)
    expected_scores, expected = brute_force(records, queries, count, ids)
    np.testing.assert_array_equal(found[:, : expected.shape[1]], expected)
    np.testing.assert_allclose(scores[:, : expected.shape[1]], expected_scores, atol=1e-6)
    assert (found[:, expected.shape[1] :] == -1).all()
    assert (scores[:, expected.shape[1] :] == -np.inf).all()


def test_a_scan_finds_what_brute_force_finds(records, queries):
    check_exact(records, queries)


@pytest.mark.usefixtures("lists")
def test_a_scan_of_all_lists_finds_what_brute_force_finds(records, queries):
    assert Vectors.open(records.folder, records).kind.startswith("IVF")
    check_exact(records, queries)


@pytest.mark.parametrize("kept", [2, 10, 100])
@pytest.mark.usefixtures("lists")
def test_a_filtered_search_is_as_exact(records, queries, kept):
    check_exact(records, queries, ids=np.arange(1, 601, kept))


def test_fewer_photos_than_asked_for_leave_places_empty(records, queries):
    check_exact(records, queries, count=10, ids=np.array([3, 5, 999]))
    check_exact(records, queries, count=10, ids=np.zeros(0, np.int64))


def test_an_empty_library_finds_nothing(tmp_path, queries):
    with filled(tmp_path / "l.lexel", np.zeros((0, D), np.float16)) as records:
        scores, found = Vectors.open(records.folder, records).search(queries, 3)
    assert (found == -1).all()
    assert scores.shape == (5, 3)


def stamp(records: Records) -> bytes:
    return (records.folder / "vectors.json").read_bytes()


def test_few_changes_are_held_beside_the_cache(records, queries, monkeypatch):
    Vectors.open(records.folder, records)
    before = stamp(records)
    added = put(records, queries[:2].astype(np.float16))
    with records.changing() as changes:
        changes.remove_files([7])
        changes.mark_missing([11])
    check_exact(records, queries)
    check_exact(records, queries, ids=np.array([7, 11, 12, 13, *added]))
    assert stamp(records) == before


def test_many_changes_make_it_anew(records, queries):
    Vectors.open(records.folder, records)
    before = stamp(records)
    put(records, unit_vectors(300, D, seed=5))
    check_exact(records, queries)
    assert stamp(records) != before
    assert len(list(records.folder.glob("vectors-*"))) == 2


def test_a_photo_that_changed_is_found_by_its_new_vector_only(records, queries):
    Vectors.open(records.folder, records)
    with records.changing() as changes:
        content = changes.add_content(b"x" * 16, b"jpeg", queries[0].astype(np.float16).tobytes())
        changes.connection.execute(
            "UPDATE files SET content = ?, changed = ? WHERE id = 9", (content, changes.generation)
        )
        changes.new_generation()
    check_exact(records, queries)
    assert Vectors.open(records.folder, records).search(queries[:1], 1)[1].tolist() == [[9]]


def damage_codes(folder):
    path = next(folder.glob("vectors-*.faiss"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize(
    "harm",
    [
        damage_codes,
        lambda folder: next(folder.glob("vectors-*.npy")).unlink(),
        lambda folder: next(folder.glob("vectors-*.faiss")).write_bytes(b"short"),
        lambda folder: (folder / "vectors.json").write_text("{"),
        lambda folder: (folder / "vectors.json").write_text('{"format": 1}'),
        lambda folder: (folder / "vectors.json").unlink(),
    ],
)
def test_a_damaged_or_missing_cache_is_made_anew(records, queries, harm):
    Vectors.open(records.folder, records)
    harm(records.folder)
    assert not index_files.intact(records.folder)
    check_exact(records, queries)
    assert index_files.intact(records.folder)


def test_the_cache_of_another_model_is_not_believed(tmp_path, records, queries):
    Vectors.open(records.folder, records)
    with filled(tmp_path / "other.lexel", unit_vectors(600, D, seed=3), fingerprint="another") as other:
        for path in records.folder.glob("vectors*"):
            shutil.copy(path, other.folder)
        check_exact(other, queries)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "cannot be kept for lack of space on the disk. Searches"),
        (
            RuntimeError("Error in void faiss::write_index: 'ret == (size)' failed (No space left on device)"),
            "cannot be kept for lack of space on the disk. Searches",
        ),
        (RuntimeError("no such luck"), "cannot be kept (no such luck). Searches"),
    ],
)
def test_a_cache_that_cannot_be_written_is_said_and_searched_all_the_same(
    records, queries, monkeypatch, capsys, error, said
):
    def refuse(*_):
        raise error

    monkeypatch.setattr(faiss, "write_index", refuse)
    check_exact(records, queries)
    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("lists")
def test_recall_is_measured_against_exact_search(records, monkeypatch):
    opened = Vectors.open(records.folder, records)
    measured = opened.check(50)
    assert measured.recall_at_10 == 1
    assert measured.queries == 50
    monkeypatch.setattr(opened._cached.index, "probes", 1)
    assert opened.check(50).approximate_recall_at_10 < measured.approximate_recall_at_10


@pytest.mark.usefixtures("lists")
def test_a_filter_that_keeps_few_is_searched_whole_even_where_a_part_would_do(records, queries, monkeypatch):
    opened = Vectors.open(records.folder, records)
    monkeypatch.setattr(opened._cached.index, "probes", 1)
    few = opened.ids[::10]
    _, found = opened.search(queries, 10, few, approximate=True)
    np.testing.assert_array_equal(found, brute_force(records, queries, 10, few)[1])


@pytest.mark.usefixtures("lists")
def test_sketches_outlive_the_process_that_made_them(records, queries):
    _, made = Vectors.open(records.folder, records).search(queries, 10, approximate=True)
    again = Vectors.open(records.folder, records)
    assert again._cached.index.owner is not None
    np.testing.assert_array_equal(again.search(queries, 10, approximate=True)[1], made)


def test_vectors_come_in_the_order_asked(records):
    opened = Vectors.open(records.folder, records)
    _, stored = records.vectors()
    np.testing.assert_allclose(opened.vectors_of(np.array([5, 2, 5])), stored[[4, 1, 4]].astype(np.float32), atol=1e-3)
    with pytest.raises(KeyError):
        opened.vectors_of(np.array([5, 6000]))


def test_what_changes_while_the_index_is_built_is_found(records, queries, monkeypatch):
    blocks = records.vector_blocks

    def blocks_after_others_changed_much():
        with records.changing() as changes:
            changes.remove_files(range(1, 301))
        put(records, unit_vectors(50, D, seed=5))
        return blocks()

    monkeypatch.setattr(records, "vector_blocks", blocks_after_others_changed_much)
    Vectors.open(records.folder, records)
    monkeypatch.undo()
    check_exact(records, queries)


def test_an_index_is_named_after_the_model_that_its_vectors_are_from(records, queries, monkeypatch):
    blocks = records.vector_blocks

    def blocks_before_others_embedded_anew():
        yield from list(blocks())
        with records.changing() as changes:
            changes.set_fact("fingerprint", "ffffffff")
            changes.connection.execute("UPDATE vectors SET vector = (SELECT vector FROM vectors ORDER BY random())")

    monkeypatch.setattr(records, "vector_blocks", blocks_before_others_embedded_anew)
    Vectors.open(records.folder, records)
    monkeypatch.undo()
    assert index_files.read_cache(records.folder, "ffffffff", D) is None
