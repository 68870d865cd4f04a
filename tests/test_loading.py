import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_recipe

import lexel
from lexel.checkpoints.model_folder.folder import open_model_folder
from lexel.conversion import convert, export
from lexel.data.readers import read_source
from lexel.errors import UsageError
from lexel.training.trainer import train

TEXTS = ["a red circle", "two blue stars on a green field"]


@pytest.fixture(scope="module")
def clip_like(tmp_path_factory) -> Path:
    """A model of the kind that other libraries hold too."""
    changes = ("model.image.stem=patch", "model.image.pooling=class", "model.text.pooling=end", "steps=2")
    return train(tiny_recipe(changes), tmp_path_factory.mktemp("clip") / "run").model


@pytest.fixture(scope="module")
def exported(tiny_model, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "model"
    report = export(tiny_model, out, ["float32", "float16"], read_source("scenes:40/val"))
    assert set(report.written) == {"float32", "float16"}
    return out


@pytest.fixture
def scenes():
    return [pair.picture for pair in read_source("scenes:3/test").pairs]


@pytest.mark.parametrize("form", ["open_clip", "huggingface"])
def test_a_converted_model_gives_the_same_embeddings_under_the_same_fingerprint(clip_like, scenes, tmp_path, form):
    ours = lexel.load(clip_like)
    convert(clip_like, tmp_path / form, form)
    there = lexel.load(tmp_path / form)
    convert(tmp_path / form, tmp_path / "back")
    back = lexel.load(tmp_path / "back")
    for other in (there, back):
        np.testing.assert_allclose(other.embed_texts(TEXTS), ours.embed_texts(TEXTS), atol=1e-6)
        np.testing.assert_allclose(other.embed_images(scenes), ours.embed_images(scenes), atol=1e-6)
    assert there.fingerprint == back.fingerprint == ours.fingerprint


def test_an_exported_model_gives_the_same_embeddings_under_the_same_fingerprint(tiny_model, exported, scenes):
    ours, there = lexel.load(tiny_model), lexel.load(exported)
    np.testing.assert_allclose(there.embed_texts(TEXTS), ours.embed_texts(TEXTS), atol=1e-5)
    np.testing.assert_allclose(there.embed_images(scenes), ours.embed_images(scenes), atol=1e-5)
    assert there.fingerprint == ours.fingerprint
    assert lexel.load(exported, number_format="float16").fingerprint != ours.fingerprint
    assert there.calibration == ours.calibration


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"runtime": "torch"}, "holds no weights for torch"),
        ({"number_format": "int8"}, "exported without int8"),
        ({"number_format": "bfloat16"}, "does not compute in bfloat16"),
        ({"image_size": 64}, "at the sizes that it was exported with"),
        ({"device": "cuda"}, "runs on the CPU"),
    ],
)
def test_what_an_exported_model_cannot_do_is_said(exported, settings, message):
    with pytest.raises(UsageError, match=message):
        lexel.load(exported, **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"runtime": "onnx"}, "lexel models export"), ({"number_format": "int8"}, "export it")],
)
def test_what_needs_an_export_says_so(tiny_model, settings, message):
    with pytest.raises(UsageError, match=message):
        lexel.load(tiny_model, **settings)


def test_rounded_towers_have_a_fingerprint_of_their_own(tiny_model):
    rounded, ours = lexel.load(tiny_model, number_format="bfloat16"), lexel.load(tiny_model)
    assert rounded.fingerprint != ours.fingerprint
    assert (rounded.embed_texts(TEXTS) * ours.embed_texts(TEXTS)).sum(axis=1).min() > 0.999


def test_other_sizes_stretch_the_positions(tiny_model, scenes):
    larger = lexel.load(tiny_model, image_size=64, context_length=40)
    assert larger.preprocess(scenes[0]).shape == (3, 64, 64)
    assert larger.tokenize([" ".join(["red"] * 60)]).shape == (1, 40)
    assert larger.embed_images(scenes).shape == (3, lexel.load(tiny_model).dimensions)
    assert larger.fingerprint != lexel.load(tiny_model).fingerprint


def test_a_name_that_is_neither_here_nor_known_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UsageError, match="there is no such folder"):
        lexel.load(tmp_path / "nothing")
    with pytest.raises(UsageError, match="openai"):
        lexel.load("ViT-B-32/opnai")


def test_foreign_weights_without_a_tokenizer_embed_pictures_and_refuse_texts(clip_like, scenes, tmp_path, capsys):
    convert(clip_like, tmp_path / "there", "open_clip")
    for piece in (tmp_path / "there").glob("*token*"):
        piece.unlink()
    encoder = lexel.load(tmp_path / "there")
    assert "comes without its tokenizer: it embeds pictures, but no texts" in capsys.readouterr().err
    np.testing.assert_allclose(encoder.embed_images(scenes), lexel.load(clip_like).embed_images(scenes), atol=1e-6)
    for use in (encoder.embed_texts, encoder.tokenize, encoder.count_truncated):
        with pytest.raises(
            UsageError, match=r"embeds no texts.\n  Give the tokenizer\.json(.|\n)*models convert .* --tokenizer"
        ):
            use(["a cat"])
    with pytest.raises(UsageError, match=r"without a tokenizer(.|\n)*--tokenizer PATH"):
        convert(tmp_path / "there", tmp_path / "back")
    convert(tmp_path / "there", tmp_path / "back", tokenizer=clip_like / "tokenizer.json")  # as it is advised
    assert lexel.load(tmp_path / "back").embed_texts(["a cat"]).shape[0] == 1


def test_a_finished_run_is_calibrated(tiny_model, tmp_path):
    encoder = lexel.load(tiny_model)
    pictures = [pair.picture for pair in read_source("scenes:4/val").pairs]
    matches = encoder.match(pictures, TEXTS)
    assert matches.shape == (4, 2)
    assert ((matches > 0) & (matches < 1)).all()
    copy = shutil.copytree(tiny_model, tmp_path / "copy")
    (copy / "calibration.json").unlink()
    assert open_model_folder(copy).calibration() is None
    with pytest.raises(UsageError, match="lexel models calibrate"):
        lexel.load(copy).match(pictures, TEXTS)
