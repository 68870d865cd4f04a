"""Runs that learn from a teacher: beside captions, of pictures alone, killed, and in two processes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from processes import kill_when, start_training, steps_logged, together
from safetensors.torch import load_file
from tiny import tiny_recipe

from lexel.checkpoints.model_folder.folder import open_model_folder
from lexel.data.readers import read_source
from lexel.errors import LexelError, UsageError
from lexel.loading import load
from lexel.training.default_recipe import find_recipe
from lexel.training.inputs.input_reader import InputReader
from lexel.training.inputs.training_data import gather
from lexel.training.recipe import Recipe
from lexel.training.trainer import train

SHORTER = ("steps=6", "batch_size=17", "model.embedding=24", "evaluation.times=1", "snapshot.every_steps=2")


def taught(teacher: Path, *changes: str) -> Recipe:
    """A model whose embeddings are shorter than the teacher's."""
    return tiny_recipe((*SHORTER, f"distill.teacher={teacher}", *changes))


def log(run: Path, kind: str = "loss") -> list[dict]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if kind in line]


def run(recipe: Recipe, folder: Path) -> None:
    train(recipe, folder)


@pytest.fixture(scope="module")
def whole(tiny_model, tmp_path_factory) -> Path:
    return train(taught(tiny_model), tmp_path_factory.mktemp("taught") / "whole").folder


def test_the_loss_is_the_weighed_sum_of_its_parts(whole):
    for line in log(whole):
        parts = line["contrast"] + line["feature_distance"] + line["similarity_divergence"]
        assert line["loss"] == pytest.approx(parts, rel=1e-5)


def test_distributions_alone_are_matched_whatever_the_lengths(tiny_model, tmp_path):
    made = train(taught(tiny_model, "steps=2", "distill.features=0", "distill.contrast=0"), tmp_path / "run")
    for line in log(made.folder):
        assert line["loss"] == pytest.approx(line["similarity_divergence"], rel=1e-5)
        assert "feature_distance" not in line


def test_the_model_is_a_plain_one_that_names_its_teacher(whole, tiny_model):
    folder = open_model_folder(whole / "model")
    names = {name.partition(".")[0] for name in folder.weights()}
    assert names == {"image", "text", "logit_scale"}
    assert load(whole / "model").embed_texts(["a red circle"]).shape == (1, 24)
    card = (whole / "model" / "README.md").read_text()
    assert f"teacher `tiny`, fingerprint `{load(tiny_model).fingerprint}`" in card


def test_the_teacher_embeds_each_picture_and_text_once(whole, tiny_model):
    teacher = load(tiny_model)
    pictures = [pair.picture for pair in read_source("scenes:48/train").pairs]
    kept = np.load(whole / "embeddings" / "teacher" / "image.npy")
    np.testing.assert_allclose(kept, teacher.embed_images(pictures), atol=1e-5)


def test_a_killed_run_ends_in_the_same_weights(whole, tiny_model, tmp_path):
    folder, recipe = tmp_path / "killed", taught(tiny_model)
    kill_when(start_training(recipe, folder), lambda: steps_logged(folder) >= 3)
    resumed = load_file(train(recipe, folder).model / "weights.safetensors")
    for name, value in load_file(whole / "model" / "weights.safetensors").items():
        assert torch.equal(value, resumed[name]), name


def test_two_processes_learn_what_one_does_sharded_and_in_parts_too(whole, tiny_model, tmp_path):
    ways = {"both": taught(tiny_model), "sharded": taught(tiny_model, "parallel.shard=towers", "micro_batch=4")}
    outcomes = together(2, [(run, (recipe, tmp_path / way)) for way, recipe in ways.items()])
    assert outcomes == [[None, None]] * len(ways)
    for way in ways:
        first, *_ = zip(log(whole), log(tmp_path / way), strict=True)
        for name in ("loss", "contrast", "feature_distance", "similarity_divergence", "gradient_norm"):
            assert first[0][name] == pytest.approx(first[1][name], rel=1e-4), name
        weights = load_file(tmp_path / way / "model" / "weights.safetensors")
        for name, value in load_file(whole / "model" / "weights.safetensors").items():
            torch.testing.assert_close(weights[name], value, rtol=0, atol=1e-4, msg=name)


def test_a_model_comes_nearer_to_a_teacher_the_more_that_counts(tiny_model, tmp_path):
    teacher = load(tiny_model)
    pictures = [pair.picture for pair in read_source("scenes:24/val").pairs]
    cosines = []
    for weight in (0, 30):
        changes = ("steps=25", f"distill.features={weight}", f"model.embedding={teacher.dimensions}")
        model = load(train(taught(tiny_model, *changes), tmp_path / str(weight)).model)
        cosines.append(float((model.embed_images(pictures) * teacher.embed_images(pictures)).sum(1).mean()))
    assert 1 - cosines[1] < (1 - cosines[0]) / 2


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Pictures of which nothing is said."""
    folder = tmp_path_factory.mktemp("photos")
    for number, pair in enumerate(read_source("scenes:48/train").pairs):
        pair.picture.load().save(folder / f"{number:02}.png")
    return folder


def test_pictures_alone_teach_an_image_tower_beside_the_teachers_text_tower(photos, tiny_model, tmp_path):
    changes = (f"distill.teacher={tiny_model}", "model.architecture=lexel-xs", "steps=30", "batch_size=16")
    recipe = find_recipe(str(photos), (*changes, "data.workers=0", "evaluation.holdout=0.2"), InputReader())
    made = train(recipe, tmp_path / "run")
    model, teacher = load(made.model), load(tiny_model)
    texts = ["a red circle", "a large blue square"]
    np.testing.assert_array_equal(model.embed_texts(texts), teacher.embed_texts(texts))
    assert model.logit_scale == pytest.approx(teacher.logit_scale)
    metrics = made.report.metrics()
    pictures = [pair.picture for pair in gather(recipe, InputReader()).held_out.pairs]
    cosines = (model.embed_images(pictures) * teacher.embed_images(pictures)).sum(1)
    assert metrics["teacher/cosine"] == pytest.approx(float(cosines.mean()), abs=1e-4)
    first, *_, last = [line["evaluation"]["loss"] for line in log(made.folder, "evaluation")]
    assert last < first
    assert "nothing is said" in (made.folder / "report" / "report.html").read_text().lower()


def test_pictures_that_say_nothing_are_learned_from_beside_others_that_do(photos, tiny_model, tmp_path):
    sources = [{"source": "scenes:24/train"}, {"source": str(photos)}]
    recipe = taught(tiny_model, "steps=3").model_dump(mode="json", exclude_none=True)
    recipe["data"] |= {"sources": sources}
    made = train(Recipe.build(recipe), tmp_path / "run")
    memory = np.load(made.folder / "embeddings" / "teacher" / "image.npy")
    assert len(memory) > 24 + 40
    assert all({"contrast", "feature_distance"} <= line.keys() for line in log(made.folder))


def test_a_text_tower_without_words_is_refused(photos, tiny_model, tmp_path):
    recipe = taught(tiny_model).model_dump(mode="json", exclude_none=True)
    recipe["data"] |= {"sources": [{"source": str(photos)}]}
    with pytest.raises(
        UsageError, match=r"nothing is said of the pictures.*\n.*model\.text_weights=.*freeze\.text=true"
    ):
        train(Recipe.build(recipe), tmp_path / "run")


def test_another_teacher_does_not_go_on_with_the_run(tiny_model, tmp_path):
    teacher = tmp_path / "teacher"
    shutil.copytree(tiny_model, teacher)
    made = train(taught(teacher, "steps=2"), tmp_path / "run")
    shutil.rmtree(made.model)  # as if it had been cut off
    other = train(tiny_recipe(("steps=1", "seed=5")), tmp_path / "other")
    shutil.rmtree(teacher)
    shutil.copytree(other.model, teacher)
    with pytest.raises(UsageError, match=r"The teacher of the run in .* has changed"):
        train(taught(teacher, "steps=2"), tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("distill.teacher=runs/nowhere/model",), r"the teacher: .*runs/nowhere/model"),
        (("distill.teacher=ViT-L-14/opneai",), r"the teacher: .*openai"),
        (("distill.teacher=",), r"distill\.teacher"),
        (("distill.features=0", "distill.similarities=0"), "nothing is learned from the teacher"),
        (("distill.similarity=2",), "similarity is not a known key. Did you mean"),
    ],
)
def test_a_teacher_that_cannot_be_meant_is_refused(tiny_model, tmp_path, changes, message):
    with pytest.raises(LexelError, match=message):
        train(taught(tiny_model, *changes), tmp_path / "run")


def test_the_start_and_a_teacher_are_not_remembered_both(tiny_model):
    with pytest.raises(UsageError, match=r"adapt\.remember = 0"):
        tiny_recipe(
            (f"distill.teacher={tiny_model}", "adapt.kind=full"), model={"weights": str(tiny_model)}, tokenizer={}
        )
