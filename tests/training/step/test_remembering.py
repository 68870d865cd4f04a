"""The term that keeps embeddings near those of the starting model."""

import json

import numpy as np
import pytest
import torch
from fine_tuned import fine_tuning_recipe
from PIL import Image
from processes import kill_when, start_training, steps_logged
from safetensors.torch import load_file

from lexel.data.pairs import ImageFile
from lexel.data.picture_hash import hash_of
from lexel.errors import UsageError
from lexel.loading import load
from lexel.training.step.contrastive import ContrastiveObjective
from lexel.training.step.remembering import RememberingObjective, first_model, mean_distance
from lexel.training.trainer import train
from lexel.unit_vectors import unit

FULL = ("adapt.kind=full", "evaluation.times=1")


def test_the_distance_is_one_minus_the_mean_cosine_and_so_is_its_gradient():
    random = np.random.default_rng(0)
    now, first = (torch.from_numpy(unit(random.normal(size=(5, 4)))) for _ in range(2))
    leaf = now.clone().requires_grad_()
    found = mean_distance(leaf, first)
    found.backward()
    assert float(found.detach()) == pytest.approx(
        1 - np.mean([a @ b for a, b in zip(now.numpy(), first.numpy(), strict=True)])
    )
    np.testing.assert_allclose(leaf.grad, (now - first) / 5, rtol=1e-6)


def test_embeddings_stay_nearer_the_more_they_are_held(tiny_model, tmp_path):
    start, images = load(tiny_model), [np.full((32, 32, 3), shade, np.uint8) for shade in (30, 120, 220)]
    before = start.embed_images(images)
    cosines = []
    for weight in (0, 10, 1000):
        recipe = fine_tuning_recipe(tiny_model, (*FULL, f"adapt.remember={weight}"))
        run = train(recipe, tmp_path / str(weight))
        cosines.append(float((before * load(run.model).embed_images(images)).sum(1).mean()))
        lines = [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]
        assert any("moved" in line for line in lines) == (weight > 0)
    assert cosines[0] < cosines[1] < cosines[2]


def test_the_first_step_is_the_starting_model(tiny_model, tmp_path):
    recipe = fine_tuning_recipe(tiny_model, (*FULL, "augmentation.crop_scale=[0.3,0.6]"))
    run = train(recipe, tmp_path / "run")
    [first, *_] = [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines() if "moved" in line]
    assert first["moved"] == pytest.approx(0, abs=1e-6)  # both models look at the same view of a picture


def test_pictures_without_a_word_can_be_remembered(tiny_model, tmp_path):
    """Another source's embeddings stay nearer when they are held too; a picture that cannot be read counts for none."""
    folder = tmp_path / "others"
    folder.mkdir()
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 255, (40, 40, 3), np.uint8) // 2 + shade for shade in range(0, 120, 12)]
    for number, picture in enumerate(pictures):
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"{number}.png")
    (folder / "torn.png").write_bytes(b"no picture")
    before = load(tiny_model).embed_images([folder / f"{number}.png" for number in range(10)])
    cosines = []
    for on in ((), (f"adapt.remember_on={folder}",)):
        changes = ("adapt.kind=full", "adapt.remember=100", "data.max_bad_share=1", *on)
        run = train(fine_tuning_recipe(tiny_model, changes), tmp_path / f"run {len(on)}")
        after = load(run.model).embed_images([folder / f"{number}.png" for number in range(10)])
        cosines.append(float((before * after).sum(1).mean()))
    assert cosines[0] < cosines[1]
    lines = [json.loads(line) for line in (tmp_path / "run 1" / "log.jsonl").read_text().splitlines()]
    assert all("remembered_moved" in line for line in lines if "loss" in line)
    assert "torn.png" in (tmp_path / "run 1" / "bad-images.jsonl").read_text()
    learned = load(run.model).training_pictures
    assert learned is not None
    assert learned.contains(np.array([hash_of(ImageFile(folder / "3.png"))], np.uint64)).all()


def test_a_killed_run_ends_in_the_same_weights(tiny_model, tmp_path):
    """What is remembered is the start, and not what the run had become when it was killed."""
    changes = (*FULL, "steps=8", "snapshot.every_steps=3", "adapt.remember_on=scenes:8/test")
    recipe = fine_tuning_recipe(tiny_model, changes)
    whole = load_file(train(recipe, tmp_path / "whole").model / "weights.safetensors")
    folder = tmp_path / "killed"
    kill_when(start_training(recipe, folder), lambda: steps_logged(folder) >= 5)
    resumed = load_file(train(recipe, folder).model / "weights.safetensors")
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name


def test_lora_can_remember_too(tiny_model, tmp_path):
    recipe = fine_tuning_recipe(
        tiny_model,
        ("adapt.kind=lora", "adapt.remember=5", "adapt.remember_on=scenes:8/test", 'adapt.towers=["image"]'),
    )
    run = train(recipe, tmp_path / "run")
    lines = [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines() if "moved" in line]
    assert lines
    assert all(line["moved"] > 0 and line["remembered_moved"] > 0 for line in lines[1:])


def test_texts_with_other_words_are_held_too(tiny_model, tmp_path):
    """They keep their start and end, and are the same whenever they are drawn."""
    recipe = fine_tuning_recipe(tiny_model, FULL)
    encoder = load(tiny_model)
    clip = encoder.clip
    first = ContrastiveObjective(first_model(clip), recipe, encoder.preprocessing, 10)
    objective = RememberingObjective(first, first, 1.0, ("image", "text"))
    ids, places = torch.from_numpy(encoder.tokenize(["a red circle on a blue square", "green"])), torch.arange(2)
    drawn = objective._other_texts(ids, places, step=3)
    assert torch.equal(drawn, objective._other_texts(ids, places, step=3))
    assert not torch.equal(drawn, objective._other_texts(ids, places, step=4))
    end = clip.config.text.end_of_text
    assert torch.equal(drawn == end, ids == end)
    assert torch.equal(drawn[:, 0], ids[:, 0])
    assert int(drawn.max()) < clip.config.text.vocabulary_size


def test_what_is_remembered_keeps_the_statistics_of_the_starting_model(tiny_model):
    changes = ("batch_size=128", "adapt.kind=full")
    assert fine_tuning_recipe(tiny_model, changes).keeps_statistics
    assert not fine_tuning_recipe(tiny_model, (*changes, "adapt.remember=0")).keeps_statistics
    assert not fine_tuning_recipe(tiny_model, (*changes, "freeze.statistics=false")).keeps_statistics


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("adapt.kind=locked", "adapt.remember=1"), "a locked tower forgets nothing"),
        (("adapt.kind=lora", "adapt.remember_on=scenes:8/test"), "set remember too"),
        (("adapt.kind=full", "freeze.image=true"), "a frozen tower forgets nothing"),
        (("adapt.kind=full", "adapt.remember=-1"), "adapt.remember"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(tiny_model, changes, message):
    with pytest.raises(UsageError, match=message):
        fine_tuning_recipe(tiny_model, changes)


@pytest.mark.parametrize("changes", [FULL, ("adapt.kind=locked",), ("adapt.kind=lora", "adapt.rank=4")])
def test_a_resolved_recipe_is_read_again_as_it_was(tiny_model, changes):
    recipe = fine_tuning_recipe(tiny_model, changes)
    assert type(recipe).build(json.loads(recipe.model_dump_json(exclude_none=True))) == recipe
