import errno
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lexel.calibration import Calibration
from lexel.checkpoints.model_folder.folder import ModelFolder, open_model_folder, save_model_folder
from lexel.conversion import convert
from lexel.errors import ModelError, UsageError
from lexel.loading import load
from lexel.tokenizer import Tokenizer


@pytest.fixture
def model(tiny_model, tmp_path) -> Path:
    """A copy of the tiny model, to be damaged."""
    return shutil.copytree(tiny_model, tmp_path / "model")


def save(path: Path, like: ModelFolder, **changes) -> ModelFolder:
    """Save the model `like` again at `path`, with some things changed."""
    content = {
        "name": like.manifest.name,
        "architecture": like.manifest.architecture,
        "preprocessing": like.manifest.preprocessing,
        "weights": like.weights(),
        "tokenizer": like.tokenizer(),
        "card": "# A model",
    }
    save_model_folder(path, **(content | changes))
    return open_model_folder(path)


def other_weights(folder: ModelFolder) -> dict[str, np.ndarray]:
    return {name: np.array(array + 1) for name, array in folder.weights().items()}


def other_tokenizer(folder: ModelFolder) -> Tokenizer:
    text = folder.manifest.architecture.text
    return Tokenizer.train(["quite other words"] * 3, text.vocabulary_size, text.context_length)


def test_a_saved_model_is_read_back_as_it_was(model, tmp_path):
    folder = open_model_folder(model)
    again = save(tmp_path / "deep" / "again", folder)
    assert again.manifest == folder.manifest
    assert again.tokenizer().to_json() == folder.tokenizer().to_json()
    assert again.weights().keys() == folder.weights().keys()
    assert all(np.array_equal(again.weights()[name], array) for name, array in folder.weights().items())
    assert (tmp_path / "deep" / "again" / "README.md").read_text() == "# A model"
    assert again.fingerprint("float32") == folder.fingerprint("float32")


@pytest.mark.parametrize("piece", ["weights.safetensors", "tokenizer.json"])
def test_a_missing_piece_is_named(model, piece):
    (model / piece).unlink()
    with pytest.raises(ModelError, match=f"is incomplete: {piece} is missing"):
        open_model_folder(model)


@pytest.mark.parametrize("piece", ["weights.safetensors", "tokenizer.json"])
def test_a_truncated_piece_is_named(model, piece):
    content = (model / piece).read_bytes()
    (model / piece).write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match=f"{piece} is not the file that this model was saved with"):
        open_model_folder(model)


@pytest.mark.parametrize("piece", ["weights.safetensors", "tokenizer.json", "model.json"])
def test_a_piece_of_another_model_of_the_same_architecture_is_refused(model, tmp_path, piece):
    folder = open_model_folder(model)
    other = save(tmp_path / "other", folder, weights=other_weights(folder), tokenizer=other_tokenizer(folder))
    shutil.copy(other.path / piece, model / piece)
    with pytest.raises(ModelError, match="is not the file that this model was saved with"):
        open_model_folder(model)


def test_a_damaged_description_is_told_with_its_place(model):
    (model / "model.json").write_text('{"format": 1, "name"')
    with pytest.raises(ModelError, match=r"model\.json is not readable JSON"):
        open_model_folder(model)


def test_a_description_that_cannot_be_is_told_with_its_field(model):
    content = json.loads((model / "model.json").read_text())
    content["architecture"]["image"]["heads"] = 7
    (model / "model.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"does not describe a model: architecture\.image.*multiple of heads 7"):
        open_model_folder(model)


def test_a_description_without_hashes_is_refused(model):
    content = json.loads((model / "model.json").read_text())
    del content["sha256"]["tokenizer.json"]
    (model / "model.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"names no hash of tokenizer\.json"):
        open_model_folder(model)


@pytest.mark.parametrize("content", ['{"format": 99}', '{"name": "x"}'])
def test_another_format_is_refused(model, content):
    (model / "model.json").write_text(content)
    with pytest.raises(ModelError, match="this Lexel reads format 1"):
        open_model_folder(model)


def test_no_folder_is_told_with_the_nearest_name(model):
    with pytest.raises(UsageError, match=r'there is no such folder\. Did you mean "model"\?'):
        open_model_folder(model.with_name("modle"))


def test_a_file_or_another_folder_is_no_model_folder(model):
    with pytest.raises(UsageError, match=r"it is a file\. Give the folder"):
        open_model_folder(model / "model.json")
    (model / "model.json").unlink()
    with pytest.raises(UsageError, match=r"it has no model\.json"):
        open_model_folder(model)


def test_a_run_folder_leads_to_the_model_in_it(tiny_run):
    with pytest.raises(UsageError, match=f'it holds a finished run. Did you mean "{tiny_run.model}"?'):
        open_model_folder(tiny_run.folder)


def test_a_run_that_has_not_finished_is_told_as_such(tmp_path):
    (tmp_path / "recipe.json").touch()
    with pytest.raises(UsageError, match="a run that has not finished"):
        open_model_folder(tmp_path)


def test_the_fingerprint_changes_with_all_that_changes_embeddings(model, tmp_path):
    folder = open_model_folder(model)
    manifest = folder.manifest
    quick = manifest.architecture.model_dump()
    quick["text"]["activation"] = "quick_gelu"
    variants = {
        "weights": save(tmp_path / "a", folder, weights=other_weights(folder)),
        "tokenizer": save(tmp_path / "b", folder, tokenizer=other_tokenizer(folder)),
        "preprocessing": save(
            tmp_path / "c", folder, preprocessing=manifest.preprocessing.model_copy(update={"resize": "squash"})
        ),
        "architecture": save(tmp_path / "d", folder, architecture=type(manifest.architecture).model_validate(quick)),
    }
    fingerprints = {name: variant.fingerprint("float32") for name, variant in variants.items()}
    fingerprints |= {"same": folder.fingerprint("float32"), "number format": folder.fingerprint("bfloat16")}
    assert len(set(fingerprints.values())) == len(fingerprints)


def test_the_fingerprint_does_not_change_with_name_or_card(model, tmp_path):
    folder = open_model_folder(model)
    renamed = save(tmp_path / "renamed", folder, name="another", card="other words")
    assert renamed.fingerprint("float32") == folder.fingerprint("float32")


def test_a_save_that_fails_leaves_the_old_model_and_no_litter(model, monkeypatch):
    def full_disk(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    folder = open_model_folder(model)
    before, other = folder.weights(), other_weights(folder)
    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left") as failure:
        save(model, folder, weights=other)
    assert failure.value.filename == str(model)
    assert [path.name for path in model.parent.iterdir()] == ["model"]
    assert np.array_equal(open_model_folder(model).weights()["logit_scale"], before["logit_scale"])


def test_a_calibration_is_refused_by_another_model_and_when_damaged(tiny_model, tmp_path):
    folder = open_model_folder(shutil.copytree(tiny_model, tmp_path / "model"))
    calibration = Calibration(
        slope=9.0, intercept=-2.0, pairs=50, expected_calibration_error=0.01, source="scenes:50/val"
    )
    folder.save_calibration(calibration)
    assert folder.calibration() == calibration
    file = tmp_path / "model" / "calibration.json"
    file.write_text(file.read_text().replace(folder.fingerprint("float32"), "0" * 12))
    with pytest.raises(ModelError, match="was fitted for another model"):
        folder.calibration()
    file.write_text("{}")
    with pytest.raises(ModelError, match="is no calibration"):
        folder.calibration()


def test_weights_that_are_not_finite_are_refused_with_their_tensor(model, tmp_path):
    folder = open_model_folder(model)
    weights = {name: np.array(array) for name, array in folder.weights().items()}
    weights["image.projection.weight"][0, 1] = np.nan
    broken = save(tmp_path / "broken", folder, weights=weights)
    told = r"weights\.safetensors: the tensor image\.projection\.weight holds 1 of .* numbers that are not finite"
    with pytest.raises(ModelError, match=told):
        broken.weights()
    with pytest.raises(ModelError, match=told):
        load(tmp_path / "broken")
    with pytest.raises(ModelError, match=told):
        convert(tmp_path / "broken", tmp_path / "blessed", "open_clip")
    assert not (tmp_path / "blessed").exists()


def test_weights_that_are_turned_in_memory_are_saved_as_they_are_seen(model, tmp_path):
    folder = open_model_folder(model)
    turned = {name: np.asarray(array, order="F") for name, array in folder.weights().items()}
    again = save(tmp_path / "turned", folder, weights=turned)
    assert all(np.array_equal(again.weights()[name], array) for name, array in folder.weights().items())
    assert again.fingerprint("float32") == folder.fingerprint("float32")


@pytest.mark.parametrize(
    ("field", "value", "told"), [("depth", 10**9, "asks for depth 1,000,000,000"), ("width", 10**12, "the most that")]
)
def test_a_description_of_a_size_beyond_reason_is_refused(model, field, value, told):
    content = json.loads((model / "model.json").read_text())
    content["architecture"]["text"][field] = value
    (model / "model.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=told):
        open_model_folder(model)


def test_a_description_that_is_nested_without_end_is_refused(model):
    (model / "model.json").write_text('{"format":' * 100_000)
    with pytest.raises(ModelError, match=r"model\.json is nested too deeply"):
        open_model_folder(model)
