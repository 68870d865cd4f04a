"""Runs in which a text tower learns further languages beside an image tower that stays as it is."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from parallel import french, german, make_parallel_folder
from processes import kill_when, start_training, steps_logged, together
from safetensors.torch import load_file

from lexel.data.pairs import EmbeddedImage, Pair
from lexel.errors import DataError, UsageError
from lexel.evaluation.evaluate import evaluate
from lexel.loading import load
from lexel.training.default_recipe import find_recipe
from lexel.training.inputs.input_reader import InputReader
from lexel.training.inputs.parallel_data import english_of
from lexel.training.recipe import Recipe
from lexel.training.trainer import train
from lexel.unit_vectors import unit

LANGUAGES = 'languages.columns=["de","fr"]'


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    return make_parallel_folder(tmp_path_factory.mktemp("shop") / "shop", "scenes:36/train")


def recipe(source: Path, model: Path, *changes: str) -> Recipe:
    own = (
        *(f"model.image_weights={model}", "freeze.image=true", LANGUAGES, "data.workers=0", "precision=float32"),
        *("batch_size=32", "steps=8", "evaluation.times=1", "evaluation.holdout=0.3", "snapshot.every_steps=3"),
        *("tokenizer.vocabulary_size=500", "optimizer.learning_rate=0.003"),
    )
    return find_recipe(str(source), (*own, *changes), InputReader())


def run(described: Recipe, folder: Path) -> None:
    train(described, folder)


def losses(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


@pytest.fixture(scope="module")
def spoken(shop, tiny_model, tmp_path_factory) -> Path:
    return train(recipe(shop, tiny_model, "steps=40"), tmp_path_factory.mktemp("runs") / "spoken").folder


def test_a_text_is_to_give_the_mean_of_its_english_ones():
    pairs = [
        Pair("1", EmbeddedImage(b""), ("a dog", "a pup"), extras={"de": "ein Hund"}),
        Pair("2", EmbeddedImage(b""), ("a hound",), extras={"de": ["ein Hund", "a dog"]}),
    ]
    assert english_of(pairs, ["de"]) == {
        "ein Hund": ("a dog", "a pup", "a hound"),
        "a dog": ("a dog",),
        "a pup": ("a pup",),
        "a hound": ("a hound",),
    }


def test_the_image_tower_and_the_temperature_stay_bit_for_bit(spoken, tiny_model):
    start, now = (load_file(folder / "weights.safetensors") for folder in (tiny_model, spoken / "model"))
    for name, value in now.items():
        if name.startswith("image."):
            assert torch.equal(value, start[name]), name
    torch.testing.assert_close(now["logit_scale"], start["logit_scale"])


def test_texts_come_near_the_teachers_english_ones(spoken, shop, tiny_model):
    teacher, model = load(tiny_model), load(spoken / "model")
    captions = sorted({pair["captions"][0] for pair in map(json.loads, (shop / "metadata.jsonl").open())})
    english = teacher.embed_texts(captions)
    others = {name: model.embed_texts([say(c) for c in captions]) for name, say in (("de", german), ("fr", french))}
    before = teacher.embed_texts([german(c) for c in captions])
    for vectors in (model.embed_texts(captions), *others.values()):
        assert (english * vectors).sum(1).mean() > (english * before).sum(1).mean()
    assert losses(spoken)[-1] < losses(spoken)[0] / 2


def test_the_targets_are_the_teachers(spoken, tiny_model):
    teacher = load(tiny_model)
    kept = np.load(spoken / "embeddings" / "teacher" / "targets.npy")
    np.testing.assert_allclose(np.linalg.norm(kept, axis=1), 1, atol=1e-5)
    rows = np.load(spoken / "embeddings" / "teacher" / "text.npy")
    assert len(kept) > 2 * len(rows)
    assert teacher.dimensions == kept.shape[1]


def test_the_report_and_the_card_speak_of_each_language(spoken, tiny_model):
    report = json.loads((spoken / "report" / "report.json").read_text())
    sections = [section["task"] for section in report["sources"][0]["sections"]]
    assert sections == ["retrieval", "languages"]
    card = (spoken / "model" / "README.md").read_text()
    assert "English, de, fr" in card
    assert load(tiny_model).fingerprint in card


def test_a_killed_run_ends_in_the_same_weights_and_two_processes_learn_what_one_does(shop, tiny_model, tmp_path):
    described = recipe(shop, tiny_model)
    whole = load_file(train(described, tmp_path / "whole").model / "weights.safetensors")
    kill_when(start_training(described, tmp_path / "killed"), lambda: steps_logged(tmp_path / "killed") >= 5)
    resumed = load_file(train(described, tmp_path / "killed").model / "weights.safetensors")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert together(2, [(run, (described, tmp_path / "both"))]) == [[None, None]]
    assert losses(tmp_path / "both") == pytest.approx(losses(tmp_path / "whole"), rel=1e-4)


def test_sentences_alone_are_learned_from_and_measured_elsewhere(shop, tiny_model, tmp_path):
    (tmp_path / "pairs.tsv").write_text("en\tde\na red circle\tein roter Kreis\na blue square\tein blaues Quadrat\n")
    small = ("steps=2", "batch_size=3", 'languages.columns=["de"]', "tokenizer.vocabulary_size=300")
    with pytest.raises(DataError, match=r"Sentences without pictures.*\n.*evaluation\.source=SOURCE"):
        train(recipe(tmp_path / "pairs.tsv", tiny_model, *small), tmp_path / "run")
    made = train(recipe(tmp_path / "pairs.tsv", tiny_model, *small, f"evaluation.source={shop}"), tmp_path / "run")
    assert "languages/de/text_to_image/recall@1" in made.report.metrics()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (('languages.columns=["de","cs"]',), r"no caption in cs.*\n.*captions_de, captions_fr"),
        (("freeze.image=false",), "the image tower of the model that speaks English stays as it is"),
        (("distill.teacher=x",), r"leave \[distill\] out"),
        (("languages.columns=[]",), r"languages\.columns"),
    ],
)
def test_languages_that_cannot_be_meant_are_refused(shop, tiny_model, tmp_path, changes, message):
    with pytest.raises(UsageError, match=message):
        train(recipe(shop, tiny_model, *changes), tmp_path / "run")


def test_each_language_is_measured_on_the_pictures_that_have_it(shop, tiny_model):
    from lexel.data.readers import read_source

    encoder = load(tiny_model)
    report = evaluate(encoder, str(shop), languages=["en", "de", "fr"])
    [section] = [one for one in report.sources[0].sections if one.task == "languages"]
    assert section.facts == ("fr: 12 of 36 images have no caption",)
    source = read_source(str(shop))
    assert section.metrics["en/text_to_image/recall@1"].value == pytest.approx(
        evaluate(encoder, source, tasks=["retrieval"]).metrics()["retrieval/text_to_image/recall@1"]
    )
    rows = [row for row in map(json.loads, (shop / "metadata.jsonl").open()) if "captions_fr" in row]
    images = encoder.embed_images([shop / row["file_name"] for row in rows])
    captions = sorted({text for row in rows for text in row["captions_fr"]})
    cosines = unit(encoder.embed_texts(captions)) @ images.T
    right = np.array([[text in row["captions_fr"] for row in rows] for text in captions])
    best = (cosines >= cosines.max(1, keepdims=True) - 1e-9) & right
    found = (best.sum(1) / (cosines >= cosines.max(1, keepdims=True) - 1e-9).sum(1)).mean()
    assert section.metrics["fr/text_to_image/recall@1"].value == pytest.approx(found, abs=1e-6)
    with pytest.raises(UsageError, match="no captions in the language cs"):
        evaluate(encoder, str(shop), languages=["cs"])
