import json

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from published_decoders import D, stable_unclip_folder, unclip_folder

import lexel
from lexel.errors import ModelError, UsageError

QUICK = {"steps": 2, "guidance": 2.0}


@pytest.fixture(scope="module")
def unclip(tmp_path_factory):
    return lexel.Painter.load(unclip_folder(tmp_path_factory.mktemp("unclip") / "model"))


@pytest.fixture(scope="module")
def stable_unclip(tmp_path_factory):
    return lexel.Painter.load(stable_unclip_folder(tmp_path_factory.mktemp("stable") / "model"))


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8))


@pytest.fixture(params=["unclip", "stable_unclip"])
def painter(request):
    return request.getfixturevalue(request.param)


def test_variations_of_a_picture_are_drawn_and_repeat_with_the_seed(painter, photo):
    assert painter.size == 16
    drawn, again = painter.vary(photo, 2, seed=1, **QUICK), painter.vary(photo, 2, seed=1, **QUICK)
    assert [picture.image.size for picture in drawn] == [(16, 16)] * 2
    for one, other in zip(drawn, again, strict=True):
        np.testing.assert_array_equal(np.asarray(one.image), np.asarray(other.image))
    assert (np.asarray(drawn[0].image) != np.asarray(drawn[1].image)).any()


def test_a_way_between_two_pictures_is_drawn(painter, photo):
    drawn = painter.between(photo, photo.rotate(180), 3, **QUICK)
    assert [picture.share for picture in drawn] == [0.0, 0.5, 1.0]


def test_vectors_are_those_of_the_folder_s_own_tower(painter, photo):
    tower, prepare = painter.space._pipeline.image_encoder, painter.space._pipeline.feature_extractor
    with torch.no_grad():
        expected = tower(prepare(images=photo, return_tensors="pt").pixel_values).image_embeds.numpy()
    found = painter.space.embed_images([photo])
    assert found.shape == (1, D)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_vector_decides_the_picture(painter, photo):
    vectors = painter.space.embed_images([photo, photo.transpose(Image.Transpose.TRANSPOSE)])
    one, other = (painter.decoder.decode(vector[None], seed=0, numbers=[0], **QUICK) for vector in vectors)
    assert (one != other).any()


def test_words_change_a_picture_where_the_folder_has_a_text_tower(unclip, stable_unclip, photo):
    assert len(unclip.change(photo, "a", "b", **QUICK)) == 1
    with pytest.raises(UsageError, match="no text tower"):
        stable_unclip.change(photo, "a", "b", **QUICK)


def test_a_text_alone_needs_a_prior(unclip):
    with pytest.raises(UsageError, match="no prior"):
        unclip.generate("a", 1, **QUICK)


def test_other_pipelines_and_damaged_folders_are_named(tmp_path):
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))
    with pytest.raises(ModelError, match="is a StableDiffusionPipeline"):
        lexel.Painter.load(tmp_path)
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "UnCLIPImageVariationPipeline"}))
    with pytest.raises(ModelError, match="cannot be read as UnCLIPImageVariationPipeline"):
        lexel.Painter.load(tmp_path)
