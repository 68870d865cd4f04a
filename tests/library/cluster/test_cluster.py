"""Qdrant's in-memory mode stands for a server, of which none could be had here. It finds exactly, without a graph."""

from pathlib import Path

import numpy as np
import pytest
from pictures import save
from quick_encoder import QuickEncoder

from lexel.bulk.output_folder import OutputFolder
from lexel.bulk.plan import EmbeddingPart
from lexel.bulk.shards import embed_part
from lexel.bulk.texts import read_texts
from lexel.data.readers import read_source
from lexel.errors import DataError, ModelError, UsageError
from lexel.library.library import Library

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact"),
]
qdrant = pytest.importorskip("qdrant_client", reason='needs qdrant-client: pip install "lexel[cluster]"')

from lexel.library.cluster.collection import Collection, is_cluster  # noqa: E402
from lexel.library.cluster.filling import fill_from_folder, fill_from_records  # noqa: E402
from lexel.library.cluster.library import ClusterLibrary  # noqa: E402

COUNT = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(COUNT):
        width, height = (24, 16) if number % 3 else (10, 30)
        save(folder / ("even" if number % 2 == 0 else "odd") / f"{number:02}.png", number, width=width, height=height)
    return folder


@pytest.fixture(scope="module")
def library(folder, tmp_path_factory):
    with Library.open(tmp_path_factory.mktemp("l") / "l.lexel", QuickEncoder(), create=True) as library:
        library.add(folder)
        library.records.set_tags({3: ["kept"], 7: ["kept"]})
        with library.records.changing() as changes:
            changes.connection.execute("UPDATE files SET taken = '2020-05-31T10:00:00' WHERE id % 5 = 0")
            words = ('["beach", "summer"]', "Holidays")
            changes.connection.execute("UPDATE files SET keywords = ?, description = ? WHERE id = 7", words)
        yield library


def collection() -> Collection:
    return Collection(qdrant.QdrantClient(":memory:"), "photos", "qdrant://host:6333/photos")


@pytest.fixture(scope="module")
def cluster(library) -> ClusterLibrary:
    made = collection()
    assert fill_from_records(made, library.records) == COUNT
    return ClusterLibrary(made, QuickEncoder())


def found(hits) -> list[tuple[str, float]]:
    return [(hit.photo.path, pytest.approx(hit.score, abs=2e-3)) for hit in hits]  # float16 there and here


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"top": 5, "page": 2},
        {"folder": "odd"},
        {"orientation": "portrait"},
        {"tag": "kept"},
        {"least_side": 12},
        {"after": "2020-05", "before": "2020-06"},
        {"after": "2021"},
        {"folder": "even", "orientation": "landscape"},
        {"like": 9},
        {"like": 9, "unlike": 4},
        {"without": "navy"},
    ],
    ids=str,
)
def test_a_cluster_finds_what_the_library_finds(library, cluster, folder, asked):
    asked = {"top": COUNT, **asked}
    if "folder" in asked:
        asked["folder"] = folder / asked["folder"]
    here, there = (one.search("teal", **asked) for one in (library, cluster))
    assert [(hit.photo.path, hit.score) for hit in there] == found(here)
    assert [hit.strength for hit in there] == [hit.strength for hit in here]


def test_photos_carry_their_facts(library, cluster):
    here, there = library.records.photo(7), cluster.records.photo(7)
    names = ("id", "path", "size", "width", "height", "taken", "hash", "tags", "mtime_ns", "caption", "camera")
    names += ("keywords", "description")
    assert [getattr(there, name) for name in names] == [getattr(here, name) for name in names]
    assert (there.keywords, there.description) == (("beach", "summer"), "Holidays")
    assert cluster.records.photo(8).keywords == ()
    with pytest.raises(UsageError, match="has no photo 999"):
        cluster.records.photo(999)


def test_vectors_are_the_librarys_and_searches_those_of_brute_force(library, cluster):
    ids, vectors = library.records.vectors()
    np.testing.assert_allclose(cluster.vectors.vectors_of(ids[::-1]), vectors[::-1].astype(np.float32), atol=1e-3)
    queries = QuickEncoder().embed_texts(["red", "olive"])
    among = ids[::3]
    scores, best = cluster.vectors.search(queries, 30, among)
    cosines = queries @ vectors[::3].astype(np.float32).T
    assert best.tolist() == [[*among[np.argsort(-row, kind="stable")], *[-1] * (30 - len(among))] for row in cosines]
    np.testing.assert_allclose(scores[:, : len(among)], -np.sort(-cosines), atol=2e-3)
    assert np.isneginf(scores[:, len(among) :]).all()


def test_filling_again_brings_changes_and_takes_away_what_went(folder, tmp_path):
    made = collection()
    with Library.open(tmp_path / "l.lexel", QuickEncoder(), create=True) as library:
        library.add(folder)
        fill_from_records(made, library.records)
        library.remove([1, 2])
        library.records.set_captions({3: "a caption"})
        assert fill_from_records(made, library.records) == COUNT - 2
        cluster = ClusterLibrary(made, QuickEncoder())
        assert cluster.vectors.count == COUNT - 2
        assert cluster.records.photo(3).caption == "a caption"
        assert {hit.photo.id for hit in cluster.search("red", top=100)} == set(library.vectors.ids.tolist())


def test_a_folder_of_embeddings_fills_a_cluster_twice_without_doubles(folder, tmp_path):
    source = read_source(str(folder), text_required=False)
    out, made = OutputFolder.open(str(tmp_path / "out")), collection()
    embed_part(QuickEncoder(), source, out, EmbeddingPart(1, 2), 7)
    with pytest.raises(DataError, match="4 of 9 files are to come"):
        fill_from_folder(made, out)
    embed_part(QuickEncoder(), source, out, EmbeddingPart(2, 2))
    assert [fill_from_folder(made, out) for _ in range(2)] == [COUNT, COUNT]
    cluster = ClusterLibrary(made, QuickEncoder())
    assert cluster.vectors.count == COUNT
    hits = cluster.search(like=[source.pairs[11].picture], top=1)
    assert (hits[0].photo.path, hits[0].photo.id) == (source.pairs[11].key, 11)


def test_a_stored_vector_that_is_not_finite_goes_onto_no_cluster(folder, tmp_path):
    with Library.open(tmp_path / "l.lexel", QuickEncoder(), create=True) as damaged:
        damaged.add(folder)
        nothing = np.full(48, np.nan, "<f2").tobytes()
        with damaged.records.changing() as changes:
            changes.connection.execute("UPDATE vectors SET vector = ? WHERE content = 3", (nothing,))
        with pytest.raises(ModelError, match=r"1 of 60 vectors(.|\n)+first for .*\.png"):
            fill_from_records(collection(), damaged.records)


def test_embeddings_of_texts_are_refused(tmp_path):
    (tmp_path / "texts.txt").write_text("red\nblue")
    out = OutputFolder.open(str(tmp_path / "out"))
    embed_part(QuickEncoder(), read_texts(str(tmp_path / "texts.txt"), None), out)
    with pytest.raises(UsageError, match="holds embeddings of texts"):
        fill_from_folder(collection(), out)


def test_another_model_or_library_is_refused(cluster, library, folder, tmp_path):
    other = ClusterLibrary(cluster.collection)
    with pytest.raises(UsageError, match="cannot tell"):
        other.search("red")  # made from Python: nobody knows where the model is
    with pytest.raises(UsageError, match="another model"):
        ClusterLibrary(cluster.collection, QuickEncoder("other", "ffff"))
    with Library.open(tmp_path / "l.lexel", QuickEncoder(), create=True) as second:
        second.add(folder)
        with pytest.raises(UsageError, match="holds something else"):
            fill_from_records(cluster.collection, second.records)


def test_a_folder_without_photos_of_the_library_is_told(cluster, folder):
    with pytest.raises(UsageError, match=f"No photo of qdrant://host:6333/photos is below {folder}/none"):
        cluster.search("red", folder=folder / "none")


def test_what_needs_sqlite_is_refused_in_a_sentence(cluster):
    with pytest.raises(UsageError, match="needs a library on disk"):
        cluster.search("red", where="width > 3")
    with pytest.raises(UsageError, match="library on disk"):
        cluster.search("red", keywords="dog")
    with pytest.raises(UsageError, match="words or a picture"):
        cluster.search(orientation="portrait")


@pytest.mark.parametrize("wrong", ["qdrant://host:6333", "qdrant://host:6333/a/b", "qdrant:///a", "http://host/a"])
def test_what_is_no_collection_is_refused(wrong):
    with pytest.raises(UsageError, match="is no collection"):
        Collection.connect(wrong)


def test_a_server_that_does_not_answer_is_a_sentence():
    assert is_cluster("qdrant://127.0.0.1:1/photos")
    with pytest.raises(DataError, match="does not answer"):
        ClusterLibrary.open("qdrant://127.0.0.1:1/photos")


def test_a_closed_cluster_library_says_so(library):
    made = collection()
    fill_from_records(made, library.records)
    with ClusterLibrary(made, QuickEncoder()) as closed:
        assert closed.search("red", top=1)
    with pytest.raises(UsageError, match="has been closed"):
        closed.search("red")
