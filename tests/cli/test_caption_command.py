import csv

import pytest
from PIL import Image


@pytest.fixture(scope="module")
def captioner(tiny_model, tmp_path_factory):
    """Of the tiny model, which knows next to nothing."""
    from lexel.data.readers import read_source
    from lexel.generation.captions.settings import CaptionerSettings
    from lexel.generation.captions.training import train_captioner
    from lexel.loading import load

    folder = tmp_path_factory.mktemp("captioned") / "captioner"
    settings = CaptionerSettings.build(
        {"learning": {"steps": 20, "batch_size": 16}, "width": 32, "depth": 1, "heads": 2, "vocabulary_size": 400}
    )
    train_captioner(load(tiny_model), read_source("scenes:24/train"), folder, settings)
    return folder


@pytest.fixture
def pictures(here):
    for name, colour in (("a", "red"), ("b", "blue")):
        Image.new("RGB", (32, 32), colour).save(f"{name}.png")
    return here


def test_training_writes_a_captioner_and_goes_on_with_none_when_finished(lexel, tiny_model, here):
    words = (
        "caption",
        "train",
        tiny_model,
        "scenes:12",
        "-o",
        "captioner",
        "--steps",
        3,
        "--batch-size",
        8,
        "--width",
        32,
    )
    done = lexel(*words, "--json")
    assert done.json["steps"] == 3
    assert done.json["learned_pictures"]
    assert (here / "captioner" / "captioner.json").is_file()
    assert not (here / "captioner" / "training" / "snapshots").exists()
    assert "nothing left to do" in lexel(*words).err


def test_sentences_of_a_text_file_suffice(lexel, tiny_model, here):
    (here / "words.txt").write_text("a red circle\n\ntwo blue stars\n", encoding="utf-8")
    words = ("caption", "train", tiny_model, "words.txt", "-o", "captioner", "--steps", 2, "--width", 32, "--json")
    assert lexel(*words).json | {"sha256": {}} == lexel(*words).json | {"sha256": {}}
    assert lexel(*words).json["captions"] == 2
    assert not lexel(*words).json["learned_pictures"]


def test_a_sentence_for_each_picture_without_naming_a_verb(lexel, captioner, pictures):
    done = lexel("caption", captioner, "a.png", "b.png", "--least", "any")
    assert [line.partition(":")[0] for line in done.out.splitlines()] == ["a.png", "b.png"]
    assert lexel("caption", "images", captioner, "a.png", "b.png", "--least", "any").out == done.out


def test_json_and_csv_say_the_same(lexel, captioner, pictures):
    done = lexel("caption", captioner, "a.png", "b.png", "--least", "any", "--top", 2, "--csv", "out.csv", "--json")
    with open("out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == ["a.png", "b.png"]
    assert [row["caption"] for row in rows] == [said["caption"] for said in done.json]
    assert all(1 <= len(said["candidates"]) <= 2 for said in done.json)
    assert set(done.json[0]["candidates"][0]) == {"text", "cosine", "match", "log_probability"}


def test_samples_follow_their_seed(lexel, captioner, pictures):
    words = ("caption", captioner, "a.png", "--sample", 4, "--temperature", 2, "--top", 4, "--json")
    assert lexel(*words, "--seed", 1).json == lexel(*words, "--seed", 1).json
    assert lexel(*words, "--seed", 1).json != lexel(*words, "--seed", 2).json


def test_a_picture_that_cannot_be_read_is_named_and_the_rest_captioned(lexel, captioner, pictures):
    (pictures / "c.png").write_bytes(b"no picture")
    done = lexel("caption", captioner, "a.png", "c.png", "--json")
    assert done.status == 1
    assert "cannot read c.png" in done.err
    assert "error" in done.json[1]


def test_evaluation_prints_the_captioner_beside_three_baselines(lexel, captioner, here):
    done = lexel("caption", "evaluate", captioner, "scenes:16", "--json")
    assert [way["way"] for way in done.json["ways"]] == [
        "captioner",
        "nearest caption",
        "commonest caption",
        "a photo of LABEL",
    ]
    assert done.json["pictures"] == 16
    printed = lexel("caption", "evaluate", captioner, "scenes:16")
    assert "CIDEr-D" in printed.out
    assert "95 % intervals" in printed.out


def test_mistakes_are_named(lexel, refused, captioner, tiny_model, pictures):
    assert "is a model folder. Make a captioner for it" in refused("caption", tiny_model, "a.png")
    assert "nowhere is no captioner: there is no such folder" in refused("caption", "nowhere", "a.png")
    assert 'no file, folder or match for "x.png"' in refused("caption", captioner, "x.png")
    assert "There is no file words.txt" in refused("caption", "train", tiny_model, "words.txt", "-o", "out")
    words = ("caption", "train", tiny_model, "scenes:8", "-o", "out")
    odd = lexel(*words, "--width", 30)
    assert odd.status == 2
    assert odd.err.endswith("lexel caption: width 30 is not a multiple of its 4 heads.\n")
    assert not (pictures / "out").exists()


def test_a_source_without_sentences_is_named(lexel, tiny_model, pictures):
    (pictures / "empty.txt").write_text("\n")
    done = lexel("caption", "train", tiny_model, "empty.txt", "-o", "out")
    assert (done.status, done.err) == (1, "lexel caption: empty.txt is empty: it holds no sentence to learn from.\n")
