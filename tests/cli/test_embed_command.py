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
    ],
)
def test_mistakes_are_refused_and_leave_nothing(refused, tiny_model, here, source, output, said):
    before = sorted(here.rglob("*"))
    assert said in refused("embed", tiny_model, source, "-o", output)
    assert sorted(here.rglob("*")) == before
