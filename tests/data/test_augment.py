from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from lexel.data.augment import Augmentation, View, draw_view, least_side
from lexel.data.pairs import ImageFile
from lexel.data.picture_hash import load_with_hash
from lexel.data.views import render_view
from lexel.images import RESAMPLING, Preprocessing

STILL = Augmentation(crop_scale=(1, 1), crop_ratio=(1, 1), flip="never", brightness=0, contrast=0, saturation=0)


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(random().integers(0, 256, (height, width, 3), dtype=np.uint8))


def render(image: Image.Image, view: View, preprocessing: Preprocessing) -> np.ndarray:
    place = torch.empty((3, preprocessing.image_size, preprocessing.image_size), dtype=torch.uint8)
    render_view(np.asarray(image), view, preprocessing, place)
    return place.numpy()


def augment(
    image: Image.Image, preprocessing: Preprocessing, settings: Augmentation, random: np.random.Generator, sides: bool
) -> np.ndarray:
    return render(image, draw_view(image.size, preprocessing, settings, random, sides), preprocessing)


def test_with_everything_off_the_picture_is_as_it_is():
    image = noise(16, 16)
    pixels = augment(image, Preprocessing(image_size=16), STILL, random(), sides=False)
    assert (pixels == np.asarray(image).transpose(2, 0, 1)).all()


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (64, 48)])
@pytest.mark.parametrize("resize", ["shortest", "squash", "pad"])
def test_any_shape_of_picture_becomes_the_square_that_the_tower_wants(size, resize):
    settings = Augmentation(crop_scale=(0.1, 1), crop_ratio=(0.5, 2))
    for seed in range(20):
        pixels = augment(noise(*size), Preprocessing(image_size=24, resize=resize), settings, random(seed), sides=False)
        assert pixels.shape == (3, 24, 24)
        assert pixels.dtype == np.uint8


def test_the_same_generator_gives_the_same_view():
    views = [augment(noise(40, 30), Preprocessing(image_size=16), Augmentation(), random(5), False) for _ in range(2)]
    assert (views[0] == views[1]).all()


@pytest.mark.parametrize(
    ("flip", "sides", "mirrored"),
    [("auto", False, True), ("auto", True, False), ("always", True, True), ("never", False, False)],
)
def test_pictures_are_mirrored_unless_a_caption_says_left_or_right(flip, sides, mirrored):
    image = noise(16, 16)
    settings = STILL.model_copy(update={"flip": flip})
    views = [augment(image, Preprocessing(image_size=16), settings, random(seed), sides) for seed in range(40)]
    turned = [(view == np.asarray(image).transpose(2, 0, 1)[:, :, ::-1]).all() for view in views]
    assert any(turned) == mirrored
    assert not all(turned)


def test_padded_pictures_keep_their_edges_and_their_whole_content():
    white = Image.new("RGB", (40, 20), "white")
    pixels = augment(white, Preprocessing(image_size=16, resize="pad", fill=100), STILL, random(), sides=False)
    assert (pixels[:, :2] == 100).all()
    assert (pixels[:, 6:10] == 255).all()
    assert (pixels[:, 14:] == 100).all()


def test_squashed_pictures_are_cropped_in_their_own_shape():
    left_half_black = Image.new("RGB", (200, 50))
    left_half_black.paste((255, 255, 255), (100, 0, 200, 50))
    settings = STILL.model_copy(update={"crop_scale": (0.5, 0.5)})
    for seed in range(20):
        whole = augment(left_half_black, Preprocessing(image_size=32, resize="squash"), settings, random(seed), False)
        assert 0.15 < whole.mean() / 255 < 0.85


@pytest.mark.parametrize("kind", ["brightness", "contrast", "saturation"])
def test_jitter_changes_colours_a_little_and_grey_stays_grey_under_saturation(kind):
    settings = STILL.model_copy(update={kind: 0.2})
    image = noise(16, 16)
    change = augment(image, Preprocessing(image_size=16), settings, random(1), False).astype(int) - np.asarray(
        image
    ).transpose(2, 0, 1)
    assert 0 < abs(change).mean() < 40
    grey = Image.new("RGB", (16, 16), (90, 90, 90))
    turned = augment(grey, Preprocessing(image_size=16), settings, random(1), False)
    assert (turned == turned[0]).all()


@pytest.mark.parametrize(
    "wrong", [{"crop_scale": (0.9, 0.5)}, {"crop_scale": (0, 1)}, {"crop_ratio": (2, 1)}, {"crop_scale": (0.5, 1.5)}]
)
def test_ranges_that_cannot_be_meant_are_refused(wrong):
    with pytest.raises(ValueError, match="must rise"):
        Augmentation(**wrong)


@pytest.mark.parametrize("factors", [(1.1, 0.9, 1.3), (0.7, 1.4, 0.5), (1.0, 1.0, 1.2)])
def test_jitter_is_the_formula_in_float64(factors):
    image = noise(16, 16)
    brightness, contrast, saturation = factors
    luma = np.array([0.299, 0.587, 0.114])
    colours = np.asarray(image).astype(np.float64) * brightness
    mean_grey = (colours @ luma).mean()
    colours = mean_grey + (colours - mean_grey) * contrast
    grey = (colours @ luma)[:, :, None]
    expected = np.clip(grey + (colours - grey) * saturation, 0, 255)
    pixels = render(image, View((0, 0, 16, 16), False, *factors), Preprocessing(image_size=16))
    # Half a level of rounding, and float32 at 255 · 3 products.
    assert abs(pixels.transpose(1, 2, 0) - expected).max() <= 0.501


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("box", [(0, 0, 90, 70), (13, 7, 64, 60), (30, 20, 45, 29)])
def test_a_view_is_resized_with_antialiasing_as_pillow_does(interpolation, box):
    image = noise(90, 70)
    preprocessing = Preprocessing(image_size=32, interpolation=interpolation)
    pixels = render(image, View(box, False, 1, 1, 1), preprocessing)
    expected = np.asarray(image.crop(box).resize((32, 32), RESAMPLING[interpolation])).transpose(2, 0, 1)
    # Both round weights to some bits and values twice; torch promises two levels.
    assert abs(pixels.astype(int) - expected).max() <= 2


@given(
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    seed=st.integers(0, 100),
)
def test_a_padded_view_is_cut_out_of_the_picture_with_its_edges(width, height, seed):
    image = noise(width, height)
    preprocessing = Preprocessing(image_size=8, resize="pad", fill=9)
    view = draw_view(image.size, preprocessing, Augmentation(crop_scale=(0.05, 1)), random(seed), False)
    side = max(width, height)
    square = ImageOps.pad(image, (side, side), color=(9, 9, 9))
    expected = render(square, view, Preprocessing(image_size=8))
    assert (render(image, view, preprocessing) == expected).all()


@given(
    width=st.integers(20, 400),
    height=st.integers(20, 400),
    low=st.floats(0.1, 1),
    ratio=st.floats(0.4, 1),
    resize=st.sampled_from(["shortest", "squash"]),
)
def test_no_view_of_a_picture_of_the_least_side_is_smaller_than_the_square(width, height, low, ratio, resize):
    settings = Augmentation(crop_scale=(low, 1), crop_ratio=(ratio, 1 / ratio))
    preprocessing = Preprocessing(image_size=16, resize=resize)
    scale = least_side(preprocessing, settings) / min(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    for seed in range(10):
        left, upper, right, lower = draw_view(size, preprocessing, settings, random(seed), False).box
        assert min(right - left, lower - upper) >= 16


def test_large_jpegs_are_decoded_smaller_and_look_the_same(tmp_path):
    smooth = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8))
    smooth.resize((1600, 1200), Image.Resampling.BICUBIC).save(tmp_path / "a.jpg", quality=95)
    preprocessing, settings = Preprocessing(image_size=64), Augmentation()
    whole, _ = load_with_hash(ImageFile(tmp_path / "a.jpg"))
    scaled, _ = load_with_hash(ImageFile(tmp_path / "a.jpg"), least_side(preprocessing, settings))
    assert scaled.width == 200  # no less than the least side of 96
    for seed in range(5):
        view = draw_view(scaled.size, preprocessing, settings, random(seed), False)
        same = replace(view, box=tuple(8 * edge for edge in view.box))
        pixels = render(scaled, view, preprocessing).astype(int)
        assert abs(pixels - render(whole, same, preprocessing)).mean() < 1  # grey levels
