"""Folders that transformers wrote: our towers give its embeddings."""

import json
import shutil

import numpy as np
import pytest
import torch
from foreign_models import rows_of_ids, saved, their_embeddings, towers
from safetensors.torch import load_file, save_file

from lexel.architectures.config import HuggingFaceTextConfig, TextTransformerConfig, VisionTransformerConfig
from lexel.checkpoints.formats.huggingface.config_in import read_huggingface_config
from lexel.checkpoints.formats.huggingface.processor_in import read_processor
from lexel.checkpoints.formats.read import read_foreign
from lexel.errors import ModelError, UsageError

KINDS = ["clip", "clip-gelu", "siglip", "siglip2", "chinese", "bert", "roberta", "xlm-roberta"]


@pytest.mark.parametrize("kind", KINDS)
def test_our_towers_give_the_embeddings_of_transformers(kind, tmp_path):
    theirs = saved(kind, tmp_path / "model")
    model = read_foreign(tmp_path / "model")
    ours, text = towers(model), model.architecture.text
    pixels = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    ids = rows_of_ids(min(text.end_of_text, 99), text.pad_id or 0)
    mask = text.pad_id if isinstance(text, HuggingFaceTextConfig) else None
    image, words = their_embeddings(theirs, pixels, ids, mask)
    with torch.no_grad():
        ours_image, ours_words = ours(pixels, ids)
    torch.testing.assert_close(ours_image, image, rtol=0, atol=1e-5)
    torch.testing.assert_close(ours_words, words, rtol=0, atol=1e-5)
    torch.testing.assert_close(ours.logit_scale, theirs.logit_scale.reshape(()))
    assert model.architecture.logit_bias == hasattr(theirs, "logit_bias")


def test_shards_pickles_and_bare_files_are_read_alike(tmp_path):
    theirs = saved("clip", tmp_path / "whole")
    whole = read_foreign(tmp_path / "whole")
    theirs.save_pretrained(tmp_path / "shards", max_shard_size="60KB")
    assert (tmp_path / "shards" / "model.safetensors.index.json").is_file()
    (tmp_path / "pickle").mkdir()
    shutil.copy(tmp_path / "whole" / "config.json", tmp_path / "pickle")
    torch.save(theirs.state_dict(), tmp_path / "pickle" / "pytorch_model.bin")
    for path in (tmp_path / "shards", tmp_path / "pickle", tmp_path / "whole" / "model.safetensors"):
        again = read_foreign(path)
        assert again.architecture == whole.architecture
        assert again.weights.keys() == whole.weights.keys()
        assert all(np.array_equal(again.weights[name], array) for name, array in whole.weights.items())


def test_a_tower_below_its_own_name_twice_is_read_as_older_versions_wrote_it(tmp_path):
    saved("bert", tmp_path / "model")
    path = tmp_path / "model" / "model.safetensors"
    tensors = load_file(path)
    new = read_foreign(tmp_path / "model")
    save_file({name.replace("vision_model.", "vision_model.vision_model."): x for name, x in tensors.items()}, path)
    old = read_foreign(tmp_path / "model")
    assert all(np.array_equal(old.weights[name], array) for name, array in new.weights.items())


def test_a_naflex_model_says_what_becomes_of_pictures(tmp_path):
    saved("siglip2", tmp_path / "model")
    model = read_foreign(tmp_path / "model")
    assert model.preprocessing.resize == "squash"
    assert model.preprocessing.image_size == 32
    assert "squashed to 32 pixels" in model.notes[0]


def test_a_tower_that_lexel_does_not_have_is_named():
    config = {"model_type": "vision-text-dual-encoder", "vision_config": {"model_type": "vit"}, "text_config": {}}
    with pytest.raises(UsageError, match='an image tower of the type "vit"'):
        read_huggingface_config(config)
    with pytest.raises(UsageError, match='a model of the type "blip"'):
        read_huggingface_config({"model_type": "blip"})
    with pytest.raises(UsageError, match='the activation "relu" in vision_config'):
        read_huggingface_config({"model_type": "clip", "vision_config": {"hidden_act": "relu"}})


def test_a_configuration_that_leaves_out_what_is_usual_is_that_of_clip_base():
    config = read_huggingface_config({"model_type": "clip"})
    assert config.embedding == 512
    assert config.image == VisionTransformerConfig(activation="quick_gelu")
    assert config.text == TextTransformerConfig(activation="quick_gelu")


def test_the_mistaken_end_of_old_files_means_the_highest_id():
    config = read_huggingface_config({"model_type": "clip", "text_config": {"eos_token_id": 2}})
    assert config.text.end_of_text == 49407


def test_so400m_at_384_pixels_leaves_a_remainder_unseen():
    config = read_huggingface_config({"model_type": "siglip", "vision_config": {"image_size": 384, "patch_size": 14}})
    assert isinstance(config.image, VisionTransformerConfig)
    assert config.image.drop_remainder
    assert config.image.grid == 27


CLIP_PROCESSOR = {"crop_size": 224, "do_center_crop": True, "resample": 3, "size": 224, "image_mean": [0.1, 0.2, 0.3]}


@pytest.mark.parametrize(
    ("content", "kind", "expected"),
    [
        (CLIP_PROCESSOR, "clip", (224, "shortest", "bicubic")),
        ({"size": {"shortest_edge": 9}, "crop_size": {"height": 9, "width": 9}}, "clip", (9, "shortest", "bicubic")),
        ({}, "clip", (32, "shortest", "bicubic")),
        ({}, "siglip", (32, "squash", "bicubic")),
        ({"size": {"height": 384, "width": 384}, "resample": 2}, "siglip", (384, "squash", "bilinear")),
        ({"max_num_patches": 256, "patch_size": 16, "resample": 2}, "siglip2", (32, "squash", "bilinear")),
    ],
)  # fmt: skip
def test_processors_are_read(content, kind, expected):
    found = read_processor(content, kind, 32)
    assert (found.image_size, found.resize, found.interpolation) == expected
    assert found.convention == "transformers"
    if "image_mean" in content:
        assert found.mean == (0.1, 0.2, 0.3)
    elif kind != "clip":
        assert found.mean == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"size": {"height": 224, "width": 448}, "do_center_crop": False}, "Lexel's are square"),
        ({"size": 256, "crop_size": 224}, "resizes to 256 pixels and crops 224"),
        ({"size": {"shortest_edge": 224}, "do_center_crop": False}, "without making them square"),
        ({"do_rescale": False}, "leaves out"),
    ],
)
def test_a_processor_that_lexel_cannot_follow_is_refused(content, told):
    with pytest.raises(UsageError, match=told):
        read_processor(content, "clip", 224)


def test_a_processor_that_makes_no_sense_is_told():
    with pytest.raises(ModelError, match="does not describe how pictures are prepared"):
        read_processor({"resample": 5}, "clip", 224)


def test_a_bare_file_needs_its_configuration_or_a_name(tmp_path):
    saved("clip", tmp_path / "model")
    (tmp_path / "model" / "config.json").unlink()
    with pytest.raises(UsageError, match=r"needs its config\.json beside it"):
        read_foreign(tmp_path / "model" / "model.safetensors")
    with pytest.raises(ModelError, match=r"lacks the tensor|does not fit the architecture"):
        read_foreign(tmp_path / "model" / "model.safetensors", architecture="ViT-B-32")


@pytest.mark.parametrize(
    "content", ["", "[1]", "not json", '{"model_type": "clip", "vision_config": {"hidden_size": "x"}}']
)
def test_a_damaged_configuration_is_told(tmp_path, content):
    saved("clip", tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text(content)
    with pytest.raises(
        ModelError, match=r"config\.json (is not readable JSON|is not a JSON object|does not describe a model)"
    ):
        read_foreign(tmp_path / "model")


def test_a_configuration_of_another_model_is_told_with_the_tensor(tmp_path):
    saved("clip", tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    content = json.loads(path.read_text())
    content["vision_config"]["hidden_size"] = 64
    path.write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"vision_model\.\S+ is (\d| × )+, not (\d| × )+\."):
        read_foreign(tmp_path / "model")
