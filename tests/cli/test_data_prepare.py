import pytest
from tars import jpeg
from tiny import tiny_recipe

from lexel.training.trainer import train


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    for split, count in (("train", 24), ("val", 6)):
        (folder / split).mkdir(parents=True)
        for number in range(count):
            (folder / split / f"{number}.jpg").write_bytes(jpeg(number, 40, 30))
            (folder / split / f"{number}.txt").write_text(f"{split} picture {number}")
    (folder / "train" / "bad.jpg").write_bytes(b"nothing")
    return folder


def test_it_ends_with_what_was_written_and_what_was_dropped(lexel, photos):
    assert lexel("data", "prepare", "photos", "packed", "--size", 16, "--json").json == {
        "pairs": 30,
        "images": 31,
        "bad": 1,
        "captions": 30,
        "dropped": {"not an image of a known format": 1},
    }
    again = lexel("data", "prepare", "photos", "packed", "--size", 16).out
    assert "packed: 30 pairs with 30 captions in 2 shards" in again
    assert "val          6 pairs" in again
    assert "dropped      1: not an image of a known format; see packed/dropped.jsonl" in again


def test_another_source_is_not_packed_over_it_unless_that_is_asked_for(lexel, refused, photos):
    lexel("data", "prepare", "photos", "packed", "--size", 16)
    assert "size 16 and not 32" in refused("data", "prepare", "photos", "packed", "--size", 32)
    assert "photos and not photos/val" in refused("data", "prepare", "photos/val", "packed", "--size", 16)
    assert lexel("data", "prepare", "photos/val", "packed", "--size", 16, "--replace", "--json").json["pairs"] == 6


def test_a_run_trains_and_is_measured_on_packed_shards(lexel, photos):
    lexel("data", "prepare", "photos", "packed", "--size", 16)
    recipe = tiny_recipe(data={"sources": [{"source": "packed"}], "workers": 0}, evaluation={"times": 1}, batch_size=8)
    run = train(recipe, photos.parent / "run")
    assert run.model.is_dir()
    report = lexel("evaluate", run.model, "packed/val", "--json").json
    assert [source["images"] for source in report["sources"].values()] == [6]
    assert lexel("embed", run.model, "packed/val", "-o", "vectors.parquet").status == 0


@pytest.mark.parametrize("words", [["photos", "photos/in"], ["photos", "photos/val/0.txt"], ["nowhere", "out"]])
def test_what_cannot_be_meant_is_refused(refused, photos, words):
    refused("data", "prepare", *words)


def test_shards_are_no_source_for_a_photo_library(lexel, photos):
    lexel("data", "prepare", "photos", "packed", "--size", 16)
    done = lexel("index", "photos.lexel", "packed")
    assert done.status in (1, 2)
    assert "Traceback" not in done.err
