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


@pytest.mark.parametrize(
    ("source", "output", "said"),
    [
        (".", "out.csv", "ends in .parquet, not out.csv"),
        (".", "red.png/out.parquet", "Cannot make the folder"),
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
        ("nowhere://x/", [], "nowhere://x/ cannot be written to"),
    ],
)
def test_parts_that_cannot_be_meant_are_refused_and_leave_nothing(refused, tiny_model, here, output, options, said):
    before = sorted(here.rglob("*"))
    assert said in refused("embed", tiny_model, ".", "-o", output, *options)
    assert sorted(here.rglob("*")) == before
