import io

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_towers import KINDS, build, write_folder
from torch.nn import functional

import lexel
from lexel.errors import BadImageError, UsageError
from lexel.generation.heat_maps.explain import agreement, explain_texts
from lexel.generation.heat_maps.page import write_heat_maps

METHODS = {"clip": "attention", "siglip": "attention", "resnet": "convolutions", "convnext": "convolutions"}


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {kind: lexel.load(str(write_folder(folder / kind, build(KINDS[kind])))) for kind in METHODS}


@pytest.fixture
def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8))


@pytest.mark.parametrize("kind", METHODS)
def test_maps_have_the_picture_s_size_and_are_zero_where_it_is_cropped(encoders, picture, kind):
    heat = lexel.explain(encoders[kind], picture, ["a red circle", "nothing"])
    assert heat.shape == (2, 40, 60)
    assert heat.dtype == np.float32
    assert heat.min() >= 0
    for one in heat:
        assert one.max() == pytest.approx(1) or not one.any()
    assert not heat[:, :, :10].any()  # the middle 40 × 40 is seen
    assert not heat[:, :, 50:].any()
    assert explain_texts(encoders[kind], picture, ["x"], words=False).method == METHODS[kind]


def test_other_runtimes_and_number_formats_are_explained_by_occlusion(encoders, picture):
    class Exported:
        number_format = "int8"

        def __getattr__(self, name):
            if name == "clip":
                raise AttributeError(name)
            return getattr(encoders["clip"].runtime, name)

    encoder = lexel.load(encoders["clip"].source.model)
    encoder.runtime = Exported()
    assert explain_texts(encoder, picture, ["a red circle"]).method == "occlusion"


def test_cosines_are_the_encoder_s(encoders, picture):
    explained = explain_texts(encoders["clip"], picture, ["a red circle", "nothing"])
    cosines = encoders["clip"].similarity([picture], ["a red circle", "nothing"])[0]
    np.testing.assert_allclose([text.cosine for text in explained.texts], cosines, atol=1e-6)
    assert [word.word for word in explained.texts[0].words] == ["a", "red", "circle"]


def test_files_bytes_and_arrays_are_taken(encoders, picture, tmp_path):
    picture.save(tmp_path / "a.png")
    whole = io.BytesIO()
    picture.save(whole, "PNG")
    maps = [
        lexel.explain(encoders["clip"], image, ["a red circle"])
        for image in (tmp_path / "a.png", whole.getvalue(), np.asarray(picture), picture)
    ]
    for heat in maps[1:]:
        np.testing.assert_array_equal(heat, maps[0])


def test_mistakes_are_named(encoders, picture, tmp_path):
    with pytest.raises(UsageError, match="No texts"):
        lexel.explain(encoders["clip"], picture, [])
    with pytest.raises(UsageError, match="Text 2 of 2 is empty"):
        lexel.explain(encoders["clip"], picture, ["a", " "])
    with pytest.raises(BadImageError, match="no such file"):
        lexel.explain(encoders["clip"], tmp_path / "none.jpg", ["a"])
    with pytest.raises(UsageError, match="An image is"):
        lexel.explain(encoders["clip"], 3, ["a"])


def test_the_page_holds_a_map_for_each_text_and_escapes_what_it_shows(encoders, picture, tmp_path):
    explained = explain_texts(encoders["clip"], picture, ["a <b>red</b> circle", "nothing"])
    write_heat_maps(tmp_path / "out.html", explained, name="<i>.jpg", model="tiny")
    page = (tmp_path / "out.html").read_text()
    assert page.count("data:image/webp;base64,") == 3
    assert "<b>" not in page
    assert "<i>.jpg" not in page
    assert "http" not in page


def test_convolutional_towers_show_what_gradients_and_occlusion_agree_on():
    rng = np.random.default_rng(0)
    cells, falls = rng.random((2, 4, 4)).astype(np.float32), rng.random((2, 32, 32)).astype(np.float32)
    falls[:, :10] = 0
    fine = functional.interpolate(torch.from_numpy(cells)[None], (32, 32), mode="bilinear", align_corners=False)[0]
    fine = (fine / fine.amax((1, 2), keepdim=True)).numpy()
    expected = np.sqrt(fine * falls / falls.max(axis=(1, 2), keepdims=True))
    np.testing.assert_allclose(agreement(cells, falls), expected, atol=1e-5)
    assert not agreement(0 * cells, falls).any()
