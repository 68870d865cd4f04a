import json
import shutil
from pathlib import Path

import pytest
import torch
from processes import kill_when, start, steps_logged
from safetensors.torch import load_file, save_file

pytest.importorskip("diffusers")

from tiny_painter import SOURCE, tiny_clip, tiny_painter_recipe, train_tiny_painter

import lexel
from lexel.data.readers import read_source
from lexel.errors import DataError, ModelError, UsageError
from lexel.generation.pictures.recipe import PainterRecipe
from lexel.generation.pictures.training import train_painter
from lexel.identity import sha256_of


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return tiny_clip(tmp_path_factory.mktemp("model") / "clip")


@pytest.fixture(scope="module")
def whole(clip, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "painter"
    train_tiny_painter(clip, folder)
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    """A painter's folder that may be damaged."""
    folder = tmp_path / "painter"
    folder.mkdir()
    for file in whole.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    return folder


def weights(folder):
    return [(folder / name).read_bytes() for name in ("prior.safetensors", "decoder.safetensors")]


def test_the_folder_holds_both_parts_and_says_what_they_are(whole, clip):
    facts = json.loads((whole / "painter.json").read_text())
    assert facts["clip"]["fingerprint"] == lexel.load(clip).fingerprint
    assert facts["pairs"] == 24
    assert facts["source"] == SOURCE
    assert facts["sha256"]["decoder.safetensors"] == sha256_of(whole / "decoder.safetensors")
    assert sorted(file.name for file in whole.iterdir() if not file.name.startswith(".")) == [
        "decoder.safetensors",
        "learning",
        "painter.json",
        "prior.safetensors",
    ]
    assert not list(whole.glob("learning/*/snapshots"))


def test_the_same_recipe_gives_the_same_bits_and_another_seed_others(whole, clip, tmp_path):
    train_tiny_painter(clip, tmp_path / "again")
    assert weights(tmp_path / "again") == weights(whole)
    other = tiny_painter_recipe().model_copy(update={"seed": 1})
    train_painter(lexel.load(clip), read_source(SOURCE), tmp_path / "other", other)
    assert all(a != b for a, b in zip(weights(tmp_path / "other"), weights(whole), strict=True))


@pytest.mark.parametrize(("part", "steps"), [("prior", 3), ("decoder", 5)])
def test_a_killed_training_goes_on_to_the_same_bits(whole, clip, tmp_path, part, steps):
    folder = tmp_path / "killed"
    kill_when(start(train_tiny_painter, clip, folder), lambda: steps_logged(folder / "learning" / part) >= steps)
    assert not (folder / "painter.json").exists()
    train_tiny_painter(clip, folder)
    assert weights(folder) == weights(whole)


def test_a_finished_painter_is_not_trained_again(whole, clip, capsys):
    before = (whole / "painter.json").stat().st_mtime_ns
    train_tiny_painter(clip, whole)
    assert "finished already" in capsys.readouterr().err
    assert (whole / "painter.json").stat().st_mtime_ns == before


def test_other_settings_pairs_and_models_do_not_go_on_in_the_same_folder(whole, clip, tmp_path):
    encoder = lexel.load(clip)
    with pytest.raises(UsageError, match="other settings"):
        train_tiny_painter(clip, whole, steps=9)
    with pytest.raises(UsageError, match="other pairs"):
        train_painter(encoder, read_source("scenes:20/train"), whole, tiny_painter_recipe())
    other = tiny_clip(tmp_path / "other", "stem")
    with pytest.raises(UsageError, match="another model"):
        train_tiny_painter(other, whole)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="something else"):
        train_tiny_painter(clip, tmp_path / "full")


def test_a_source_without_captions_is_refused_and_nothing_is_written(clip, tmp_path):
    from PIL import Image

    (tmp_path / "photos").mkdir()
    for number in range(3):
        Image.new("RGB", (40, 40), (number, 0, 0)).save(tmp_path / "photos" / f"{number}.png")
    with pytest.raises(DataError, match="has no captions"):
        train_painter(lexel.load(clip), read_source(str(tmp_path / "photos")), tmp_path / "painter")
    assert not (tmp_path / "painter").exists()


def test_a_painter_of_another_model_is_refused(whole, tmp_path):
    other = lexel.load(tiny_clip(tmp_path / "other", "stem"))
    with pytest.raises(UsageError, match="is another model"):
        lexel.Painter.load(whole, encoder=other)


def test_a_model_that_has_moved_can_be_named(clip, tmp_path):
    here = tmp_path / "here"
    shutil.copytree(clip, here)
    train_tiny_painter(here, tmp_path / "painter")
    here.rename(tmp_path / "there")
    with pytest.raises(UsageError, match="--model MODEL"):
        lexel.Painter.load(tmp_path / "painter")
    assert lexel.Painter.load(tmp_path / "painter", lexel.load(tmp_path / "there")).size == 8


def test_weights_that_are_not_finite_are_refused(copy):
    bad = load_file(copy / "decoder.safetensors")
    bad["unet.conv_in.weight"][0] = torch.nan
    save_file(bad, copy / "decoder.safetensors")
    facts = json.loads((copy / "painter.json").read_text())
    facts["sha256"]["decoder.safetensors"] = sha256_of(copy / "decoder.safetensors")
    (copy / "painter.json").write_text(json.dumps(facts))
    with pytest.raises(ModelError, match=r"not finite, first unet\.conv_in\.weight"):
        lexel.Painter.load(copy)


def test_damage_is_named(copy):
    content = (copy / "prior.safetensors").read_bytes()
    (copy / "prior.safetensors").write_bytes(content[:-8] + b"12345678")
    with pytest.raises(ModelError, match=r"prior\.safetensors is not the file"):
        lexel.Painter.load(copy)
    (copy / "painter.json").write_text('{"kind": "something"}')
    with pytest.raises(ModelError, match="does not describe a painter"):
        lexel.Painter.load(copy)
    (copy / "painter.json").unlink()
    with pytest.raises(UsageError, match="no painter"):
        lexel.Painter.load(copy)


def test_the_recipes_of_painters_can_be_read():
    found = sorted((Path(__file__).parents[3] / "recipes" / "painters").glob("*.toml"))
    assert found
    for path in found:
        PainterRecipe.build(path)


def test_settings_come_from_a_file_and_from_changes(tmp_path):
    (tmp_path / "painter.toml").write_text("seed = 3\n[decoder]\nsize = 64\n")
    recipe = PainterRecipe.build(tmp_path / "painter.toml", ["decoder_learning.steps=7"])
    assert (recipe.seed, recipe.decoder.size, recipe.decoder_learning.steps) == (3, 64, 7)
    with pytest.raises(UsageError, match=r"decoder\.sise is not a known key"):
        PainterRecipe.build(None, ["decoder.sise=64"])
    with pytest.raises(UsageError, match="multiple of 8"):
        PainterRecipe.build(None, ["decoder.size=30"])
