import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_up import ALONE
from safetensors.numpy import load_file, save_file
from tiny import tiny_recipe

import lexel
from lexel.checkpoints.formats.read import read_foreign
from lexel.checkpoints.formats.write import write_open_clip
from lexel.checkpoints.model_folder.folder import open_model_folder, save_model_folder
from lexel.data.readers import read_source
from lexel.errors import UsageError
from lexel.models.clip import CLIP, init_weights
from lexel.training.inputs.input_reader import InputReader
from lexel.training.recipe import Recipe
from lexel.training.run.folder import RunFolder
from lexel.training.run_inputs import RunInputs, live_encoder
from lexel.training.setup import read_material, set_up
from lexel.training.trainer import train

SCENES = [pair.picture for pair in read_source("scenes:6/val").pairs]
TEXTS = ["a red circle", "two blue squares on a green ground"]
TOWER = {"width": 64, "depth": 1, "heads": 1}
NARROW = {"architecture": "ViT-B-32", "image": TOWER | {"image_size": 32}, "text": TOWER}


def recipe_from(*changes: str, **model: Any) -> Recipe:
    """The tiny recipe with this [model] section, and no [tokenizer] where the text tower brings one."""
    model = {name: str(value) if isinstance(value, Path) else value for name, value in model.items()}
    fields = {"model": model} | ({"tokenizer": {}} if {"weights", "text_weights"} & model.keys() else {})
    return tiny_recipe(changes, **fields)


def begin(recipe: Recipe, folder: Path) -> RunInputs:
    reader = InputReader()
    material = read_material(recipe, ALONE, reader)
    return set_up(recipe, RunFolder.open(folder, recipe), ALONE, material, reader)


def copy_with(model: Path, folder: Path, **sections: Any) -> Path:
    """A copy of the model folder with other values in sections of its model.json."""
    shutil.copytree(model, folder)
    content = json.loads((folder / "model.json").read_text())
    for section, values in sections.items():
        content[section] |= values
    (folder / "model.json").write_text(json.dumps(content))
    return folder


def model_of(recipe: Recipe, model: Path, folder: Path, seed: int = 0) -> Path:
    """A model folder of the recipe's architecture with fresh weights, and the tokenizer of another model."""
    tokenizer = open_model_folder(model).tokenizer()
    clip = CLIP(recipe.architecture(tokenizer.vocabulary_size, tokenizer.end_of_text))
    init_weights(clip, seed)
    save_model_folder(
        folder,
        name=folder.name,
        architecture=clip.config,
        preprocessing=open_model_folder(model).manifest.preprocessing,
        weights={name: tensor.contiguous().numpy() for name, tensor in clip.state_dict().items()},
        tokenizer=tokenizer,
        card="",
    )
    return folder


def test_a_run_begins_from_the_embeddings_of_the_model_to_the_bit(tiny_model, tmp_path):
    begun, loaded = live_encoder(begin(recipe_from(weights=tiny_model), tmp_path / "run"), 0), lexel.load(tiny_model)
    np.testing.assert_array_equal(begun.embed_images(SCENES), loaded.embed_images(SCENES))
    np.testing.assert_array_equal(begun.embed_texts(TEXTS), loaded.embed_texts(TEXTS))
    assert begun.logit_scale == loaded.logit_scale


def test_sizes_are_changed_as_loading_changes_them(tiny_model, tmp_path):
    recipe = recipe_from(weights=tiny_model, image={"image_size": 64}, text={"context_length": 40})
    begun = live_encoder(begin(recipe, tmp_path / "run"), 0)
    loaded = lexel.load(tiny_model, image_size=64, context_length=40)
    assert (begun.preprocessing.image_size, begun.tokenizer.context_length) == (64, 40)
    np.testing.assert_array_equal(begun.embed_images(SCENES), loaded.embed_images(SCENES))
    np.testing.assert_array_equal(begun.embed_texts(TEXTS), loaded.embed_texts(TEXTS))


def test_tokenizer_and_preprocessing_are_the_models_in_training_and_in_what_comes_out(tiny_model, tmp_path):
    pixels = {"resize": "squash", "interpolation": "bilinear", "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.3]}
    model = copy_with(tiny_model, tmp_path / "model", preprocessing=pixels, text_rules={"cleaning": "whitespace"})
    recipe = recipe_from("steps=1", "evaluation.times=1", weights=model)
    inputs = begin(recipe, tmp_path / "inputs")
    assert inputs.preprocessing == open_model_folder(model).manifest.preprocessing
    run = train(recipe, tmp_path / "run")
    left, given = (open_model_folder(folder) for folder in (run.model, model))
    assert left.manifest.preprocessing == given.manifest.preprocessing
    assert left.manifest.text_rules == given.manifest.text_rules
    assert left.manifest.architecture == given.manifest.architecture
    assert (run.model / "tokenizer.json").read_text() == (model / "tokenizer.json").read_text()
    assert f"both towers from `{model}`" in (run.model / "README.md").read_text()


def test_the_recipe_may_choose_another_way_to_fit_pictures(tiny_model, tmp_path):
    inputs = begin(recipe_from("image.resize=pad", weights=tiny_model), tmp_path / "run")
    assert inputs.preprocessing.resize == "pad"


def test_another_librarys_folder_is_a_place_to_begin(tiny_model, tmp_path):
    model = model_of(tiny_recipe(model=NARROW), tiny_model, tmp_path / "model")
    write_open_clip(read_foreign(model), tmp_path / "foreign")
    begun = live_encoder(begin(recipe_from(weights=tmp_path / "foreign"), tmp_path / "run"), 0)
    np.testing.assert_array_equal(begun.embed_texts(TEXTS), lexel.load(tmp_path / "foreign").embed_texts(TEXTS))


@pytest.mark.parametrize("tower", ["image", "text"])
def test_of_one_tower_that_is_given_the_other_begins_anew(tiny_model, tmp_path, tower):
    other = {"image": "text", "text": "image"}[tower]
    recipe = recipe_from(**{f"{tower}_weights": tiny_model, other: {"width": 64, "depth": 2, "heads": 1}})
    assert recipe.model.architecture == "lexel-s" if tower == "image" else recipe.model.architecture
    inputs = begin(recipe_from(**{f"{tower}_weights": tiny_model, "architecture": "lexel-xs"}), tmp_path / "run")
    given = load_file(tiny_model / "weights.safetensors")
    begun = {name: tensor.numpy() for name, tensor in inputs.clip.state_dict().items()}
    for name in given:
        if name.startswith(tower):
            np.testing.assert_array_equal(begun[name], given[name])
    assert inputs.clip.config.embedding == 128
    assert inputs.clip.config.model_dump()[other]["width"] == 128, "lexel-xs, not the model's 32"
    assert begun["logit_scale"] == pytest.approx(np.log(1 / 0.07))
    assert (inputs.tokenizer.to_json() == (tiny_model / "tokenizer.json").read_text()) or tower == "image"


def test_towers_of_two_models_meet(tiny_model, tmp_path):
    other = model_of(recipe_from(architecture="lexel-xs"), tiny_model, tmp_path / "other")
    begun = live_encoder(begin(recipe_from(image_weights=tiny_model, text_weights=other), tmp_path / "run"), 0)
    np.testing.assert_array_equal(begun.embed_images(SCENES), lexel.load(tiny_model).embed_images(SCENES))
    np.testing.assert_array_equal(begun.embed_texts(TEXTS), lexel.load(other).embed_texts(TEXTS))


def test_towers_that_cannot_meet_are_refused(tiny_model, tmp_path):
    other = model_of(recipe_from(architecture="lexel-xs", embedding=64), tiny_model, tmp_path / "other")
    with pytest.raises(UsageError, match=r"(?s)towers do not meet: .*\(tiny\) have 128 .*\(other\) 64"):
        begin(recipe_from(image_weights=tiny_model, text_weights=other), tmp_path / "run")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"weights": "no/such/model"}, r"model\.weights: no/such/model does not exist"),
        ({"weights": "ViT-B-32/opnai"}, r"model\.weights: .*opnai"),
        ({"weights": "M", "image": {"image_size": 33}}, r"image_size 33 is not a multiple of patch_size 4"),
        ({"image_weights": "M", "text": {"width": 31}}, r"model\.text: width 31 is not a multiple of heads"),
    ],
)
def test_a_beginning_that_cannot_be_is_refused_in_a_sentence(tiny_model, tmp_path, model, message):
    model = {name: tiny_model if value == "M" else value for name, value in model.items()}
    with pytest.raises(UsageError, match=message) as refusal:
        begin(recipe_from(**model), tmp_path / "run")
    assert str(refusal.value).count("\n") < 3


def test_a_bare_file_that_does_not_tell_all_is_to_be_converted(tiny_model, tmp_path):
    model = model_of(tiny_recipe(model=NARROW), tiny_model, tmp_path / "model")
    write_open_clip(read_foreign(model), tmp_path / "foreign")
    bare = tmp_path / "bare.safetensors"
    save_file(load_file(tmp_path / "foreign" / "open_clip_model.safetensors"), bare)
    with pytest.raises(UsageError, match=r"(?s)model\.weights: .*bare\.safetensors.*lexel models convert FILE OUT"):
        begin(recipe_from(weights=bare), tmp_path / "run")


@pytest.fixture
def begun_from_a_copy(tiny_model, tmp_path) -> tuple[Recipe, Path, Path]:
    """A recipe that begins from a copy of the tiny model, the copy, and its run, which was cut off after step 4."""
    start = shutil.copytree(tiny_model, tmp_path / "start")
    recipe = recipe_from("snapshot.every_steps=4", weights=start)
    whole = train(recipe, tmp_path / "run")
    cut_off = shutil.copytree(whole.folder, tmp_path / "cut")
    shutil.rmtree(cut_off / "model")
    next((cut_off / "snapshots").glob("step-0000008.*")).unlink()
    return recipe, start, cut_off


def test_a_run_that_was_cut_off_goes_on_to_the_same_bits(begun_from_a_copy, tmp_path):
    recipe, _, cut_off = begun_from_a_copy
    finished = load_file(train(recipe, cut_off).model / "weights.safetensors")
    whole = load_file(tmp_path / "run" / "model" / "weights.safetensors")
    assert all(np.array_equal(finished[name], whole[name]) for name in whole)


@pytest.mark.parametrize("what", ["weights", "preprocessing"])
def test_a_run_does_not_go_on_from_another_model_of_the_same_name(begun_from_a_copy, tiny_model, what):
    recipe, start, cut_off = begun_from_a_copy
    shutil.rmtree(start)
    if what == "weights":
        tiny = {"image": {"width": 32, "depth": 1, "heads": 1}, "text": {"width": 32, "depth": 1, "heads": 1}}
        model_of(recipe_from(architecture="lexel-xs", **tiny), tiny_model, start, seed=1)
    else:
        copy_with(tiny_model, start, preprocessing={"mean": [0.5, 0.5, 0.5]})
    with pytest.raises(UsageError, match=r"(?s)began from has changed.*Put that model back"):
        train(recipe, cut_off)


def test_a_model_in_half_precision_is_trained_in_single(tiny_model, tmp_path):
    manifest, tokenizer = open_model_folder(tiny_model).manifest, open_model_folder(tiny_model).tokenizer()
    halves = {name: array.astype(np.float16) for name, array in load_file(tiny_model / "weights.safetensors").items()}
    save_model_folder(
        tmp_path / "half",
        name="half",
        architecture=manifest.architecture,
        preprocessing=manifest.preprocessing,
        weights=halves,
        tokenizer=tokenizer,
        card="",
    )
    inputs = begin(recipe_from(weights=tmp_path / "half"), tmp_path / "run")
    assert {parameter.dtype for parameter in inputs.clip.parameters()} == {torch.float32}


def test_a_loss_of_another_kind_begins_with_its_own_scale_and_bias(tiny_model, tmp_path):
    clip = begin(recipe_from("loss.kind=sigmoid", weights=tiny_model), tmp_path / "sigmoid").clip
    given = load_file(tiny_model / "weights.safetensors")
    assert (clip.logit_scale.item(), clip.logit_bias.item()) == pytest.approx((np.log(10), -np.log(15)))
    np.testing.assert_array_equal(clip.image.projection.weight.detach(), given["image.projection.weight"])
    left = train(recipe_from("loss.kind=sigmoid", "steps=1", weights=tiny_model), tmp_path / "run").model
    again = begin(recipe_from("loss.kind=sigmoid", weights=left), tmp_path / "again").clip
    assert again.logit_bias.item() == load_file(left / "weights.safetensors")["logit_bias"]
