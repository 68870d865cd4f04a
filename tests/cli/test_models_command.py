import shutil

import pytest
from perturbed import perturbed

from lexel.checkpoints.model_folder.folder import open_model_folder


@pytest.mark.parametrize(("source", "warned"), [("scenes:48/train", True), ("scenes:48/val", False)])
def test_calibrating_on_pictures_that_were_learned_from_is_warned_of(lexel, tiny_model, here, source, warned):
    model = shutil.copytree(tiny_model, here / "model")
    done = lexel("models", "calibrate", model, source, "--json")
    assert done.status == 0
    assert done.json["pairs"] == 48
    assert ("Warning: 48 of the 48 pictures are ones that the model has learned from" in done.err) == warned


def test_a_blend_shows_its_curve_and_writes_a_model(lexel, tiny_model, here):
    perturbed(tiny_model, here / "tuned", size=0.3)
    words = ["models", "blend", tiny_model, "tuned", "--own", "scenes:16/val", "--guard", "scenes:16/test", "-o", "out"]
    done = lexel(*words, "--templates", "scene")
    assert done.status == 0
    assert len([line for line in done.out.splitlines() if "taken" in line]) == 1
    assert done.out.splitlines()[-2:] == ["Model  out", "Curve  out/blend.png"]
    again = lexel(*words, "--templates", "scene", "--json").json
    assert [point["weight"] for point in again["curve"]] == pytest.approx([n / 10 for n in range(11)])


def test_a_blend_of_models_that_do_not_belong_together_is_refused(lexel, tiny_model, here):
    perturbed(tiny_model, here / "other", size=30)
    done = lexel("models", "blend", tiny_model, "other", "--own", "scenes:16/val", "-o", "out")
    assert done.status == 2
    assert "other did not begin from" in done.err
    assert not (here / "out").exists()


def test_a_blend_that_is_measured_on_what_was_trained_on_is_warned_of(lexel, tiny_model, here):
    perturbed(tiny_model, here / "tuned", size=0.3)
    learned = open_model_folder(tiny_model).training_pictures()
    assert learned is not None
    weights = open_model_folder(here / "tuned").manifest.sha256["weights.safetensors"]
    learned.save(here / "tuned" / "training-pictures.safetensors", weights)
    words = ["models", "blend", tiny_model, "tuned", "--own", "scenes:16/train", "-o", "out", "--templates", "scene"]
    done = lexel(*words, "--json")
    assert "tuned has learned from 16 of the 16 pictures of scenes:16/train" in done.err
    assert len(done.json["warnings"]) == 1
    assert "tuned has learned from 16" in (here / "out" / "README.md").read_text()


def test_a_choice_that_there_is_not_is_told_in_plain_words(lexel):
    done = lexel("models", "blend", "a", "b", "--own", "c", "-o", "d", "--soup", "thick")
    assert done.status == 2
    assert "'--soup': 'thick' is not one of 'greedy', 'uniform'" in done.err


def test_a_folder_that_holds_something_else_is_never_replaced_by_a_model(refused, tiny_model, here):
    (here / "pictures").mkdir()
    (here / "red.png").rename(here / "pictures" / "red.png")
    for verb in ("export", "convert"):
        said = refused("models", verb, tiny_model, "pictures")
        assert "pictures exists and is no folder of this kind" in said
        assert [file.name for file in (here / "pictures").iterdir()] == ["red.png"]
