import numpy as np
import pyarrow.parquet as pq
import pytest

import lexel as library


def test_a_folder_is_embedded_and_the_bad_pictures_named(lexel, tiny_model, here):
    done = lexel("embed", tiny_model, here, "-o", "out.parquet", "--json")
    encoder = library.load(tiny_model)
    assert done.status == 0
    assert done.json == {
        "output": "out.parquet",
        "images": 2,
        "unreadable": 1,
        "dimensions": encoder.dimensions,
        "fingerprint": encoder.fingerprint,
    }
    assert "broken.jpg" in (here / "out.parquet.bad-images.jsonl").read_text()


def test_people_are_told_how_many_and_where(lexel, tiny_model, here):
    lines = lexel("embed", tiny_model, here, "-o", "out.parquet").out.splitlines()
    assert lines[0].startswith("2 embeddings of ")
    assert lines[1] == "1 could not be read; out.parquet.bad-images.jsonl names them"


def test_an_array_is_written_beside_the_table_and_other_columns_are_kept(lexel, tiny_model, here):
    (here / "shop.csv").write_text("picture,colour,price\nred.png,red,1.50\nblue.png,blue,2\n")
    done = lexel("embed", tiny_model, "shop.csv", "-o", "out.npy", "--json")
    assert (done.json["output"], done.json["array"], done.json["images"]) == ("out.parquet", "out.npy", 2)
    assert "columns kept as they are: colour, price" in done.err
    table = pq.read_table("out.parquet")
    assert table["price"].to_pylist() == ["1.50", "2"]
    np.testing.assert_array_equal(np.load("out.npy"), np.array(table["embedding"].to_pylist(), np.float32))
    named = ("--set", "data.label=colour", "--npy")
    lexel("embed", tiny_model, "shop.csv", "-o", "named.parquet", *named)
    assert pq.read_table("named.parquet")["label"].to_pylist() == ["red", "blue"]
    assert (here / "named.npy").exists()


def test_texts_of_a_file_and_of_a_column_are_embedded(lexel, tiny_model, here):
    (here / "queries.txt").write_text("a red circle\n\na blue star\n")
    done = lexel("embed", tiny_model, "--texts", "queries.txt", "-o", "q.parquet", "--json").json
    assert (done["texts"], done["unreadable"], done["truncated"]) == (2, 0, 0)
    (here / "shop.csv").write_text("sku,title\nA1,a red circle\nA2,\n")
    lines = lexel("embed", tiny_model, "shop.csv", "--texts", "title", "-o", "t.parquet").out.splitlines()
    assert lines[0].startswith("1 embeddings of ")
    assert lines[1] == "1 could not be read; t.parquet.bad-images.jsonl names them"
    vectors = [pq.read_table(name)["embedding"].to_pylist()[0] for name in ("q.parquet", "t.parquet")]
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Say what to embed"),
        (["--texts", "title"], "no file title with a text on each line"),
        (["nowhere.csv", "--texts", "title"], "nowhere.csv is no table"),
        ([".", "--set", "data.prices=x"], "--set takes data.caption, data.label, data.image"),
        (["--texts", "x.txt", "--set", "data.caption=x"], "--set names columns for pictures"),
    ],
)
def test_what_is_not_there_to_embed_is_told(refused, tiny_model, here, words, said):
    assert said in refused("embed", tiny_model, *words, "-o", "out.parquet")
    assert not list(here.glob("*out*"))


@pytest.mark.parametrize(
    ("source", "output", "said"),
    [
        (".", "out.csv", "ends in .parquet or .npy, not out.csv"),
        (".", "red.png/out.parquet", "There is no folder red.png"),
        ("nowhere", "out.parquet", "There is no nowhere"),
        ("nowhere", "out/", "There is no nowhere"),
        (".", "s3://bucket/out.parquet", "give a folder, -o s3://bucket/out/"),
    ],
)
def test_mistakes_are_refused_and_leave_nothing(refused, tiny_model, here, source, output, said):
    before = sorted(here.rglob("*"))
    assert said in refused("embed", tiny_model, source, "-o", output)
    assert sorted(here.rglob("*")) == before


def test_parts_fill_a_folder_and_the_last_one_tells_of_all(lexel, tiny_model, here):
    first = lexel("embed", tiny_model, here, "-o", "out/", "--rows", 1, "--part", "1/2", "--json")
    assert first.json["files"] == {"written": 2, "kept": 0, "to come": 1}
    unfinished = lexel("embed", tiny_model, here, "-o", "out/", "--finish")
    assert (unfinished.status, unfinished.out) == (1, "")
    assert "1 of 3 files are not there yet" in unfinished.err
    lines = lexel("embed", tiny_model, here, "-o", "out/", "--part", "2/2").out.splitlines()
    assert lines[0].startswith("2 embeddings of ")
    assert lines[0].endswith(" in 3 files in out/")
    assert lines[1] == "1 could not be read; out/_bad-images.jsonl names them"
    assert lexel("embed", tiny_model, here, "-o", "out/", "--finish").out.splitlines() == lines


@pytest.mark.parametrize(
    ("output", "options", "said"),
    [
        ("out.parquet", ["--part", "1/2"], "--part is for output into a folder: -o out/"),
        ("out.parquet", ["--finish"], "--finish is for output into a folder"),
        ("out/", ["--part", "3/2"], "3/2 is no part"),
        ("out/", ["--part", "1/2", "--ray", "local"], "give one"),
        ("out/", ["--npy"], "--npy is for output into one file"),
        ("nowhere://x/", [], "nowhere://x/ cannot be written to"),
    ],
)
def test_parts_that_cannot_be_meant_are_refused_and_leave_nothing(refused, tiny_model, here, output, options, said):
    before = sorted(here.rglob("*"))
    assert said in refused("embed", tiny_model, ".", "-o", output, *options)
    assert sorted(here.rglob("*")) == before
