import json
from pathlib import Path

import pytest
from pictures import smooth


@pytest.fixture
def web(here) -> Path:
    """Two copies and a broken picture, with captions."""
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        smooth(seed).save(f"{name}.png")
    Path("d.png").write_bytes(b"")
    rows = [{"file_name": f"{name}.png", "caption": f"picture {name}"} for name in "abcd"]
    Path("web.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return here


def test_what_stays_is_written_and_counted(lexel, web):
    done = lexel("data", "filter", "web.jsonl", "clean", "--copies", "exact", "--json").json
    assert {name: done[name] for name in ("pairs", "images", "bad", "captions", "dropped")} == {
        "pairs": 2,
        "images": 4,
        "bad": 1,
        "captions": 2,
        "dropped": {"duplicate": 1, "unreadable": 1},
    }
    assert lexel("data", "inspect", "clean", "--json").json["images"] == 2


def test_what_went_is_said_with_an_example(lexel, web):
    out = lexel("data", "filter", "web.jsonl", "clean", "--copies", "exact", "--drop-text", "picture c").out
    assert "clean/metadata.jsonl: 1 of 4 images stay, with 1 caption." in out
    assert "1 the same as another, such as b.png (a.png)" in out
    assert "1 caption: with the text to be dropped" in out


def test_mistakes_are_refused_before_any_work(refused, web):
    assert "there already" in refused("data", "filter", "web.jsonl", "web.jsonl")
    assert "no folder" in refused("data", "filter", "web.jsonl", "no/where")
    assert "need --model MODEL" in refused("data", "filter", "web.jsonl", "out", "--match", "0.5")
    assert "--model is for" in refused("data", "filter", "web.jsonl", "out", "--model", "m")
    assert "--top: " in refused("data", "filter", "web.jsonl", "out", "--top", "2")
    assert "no regular expression" in refused("data", "filter", "web.jsonl", "out", "--keep-text", "[")
    assert "There is no" in refused("data", "filter", "web.jsonl", "out", "--against", "nowhere.csv")
    assert not Path("out").exists()


def test_a_model_judges_texts(lexel, web, tiny_model):
    done = lexel("data", "filter", "web.jsonl", "best", "--model", tiny_model, "--top", "0.5", "--json")
    assert (done.json["captions"], done.json["dropped"]) == (2, {"unreadable": 1, "not_top": 1})
    assert done.json["fingerprint"]


def test_shards_are_written_straight_away_and_continue(lexel, refused, web):
    words = ("data", "filter", "web.jsonl", "packed", "--copies", "exact", "--shards", "--size", 16)
    done = lexel(*words, "--json").json
    assert (done["pairs"], done["shards"], done["folder"], done["not_stored"]) == (2, 1, "packed", {})
    out = lexel(*words).out
    assert "packed: 2 of 4 images stay" in out
    assert "1 shard in packed: lexel train packed" in out
    assert lexel("data", "inspect", "packed", "--json").json["pairs"] == 2
    assert "holds another packing" in refused("data", "filter", "web.jsonl", "packed", "--shards")
    assert lexel("data", "filter", "web.jsonl", "packed", "--shards", "--replace", "--json").json["pairs"] == 3
    assert "--replace is for --shards" in refused("data", "filter", "web.jsonl", "other", "--replace")
    assert "--size is for --shards" in refused("data", "filter", "web.jsonl", "other", "--size", 16)
