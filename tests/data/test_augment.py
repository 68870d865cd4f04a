import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lexel.data.augment import Augmentation, _jitter, _random_box, augment, least_side
from lexel.data.pairs import ImageFile
from lexel.data.picture_hash import load_with_hash
from lexel.images import Preprocessing

STILL = Augmentation(crop_scale=(1, 1), crop_ratio=(1, 1), flip="never", brightness=0, contrast=0, saturation=0)


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(random().integers(0, 256, (height, width, 3), dtype=np.uint8))


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
    view = noise(31, 17)
    brightness, contrast, saturation = factors
    luma = np.array([0.299, 0.587, 0.114])
    colours = np.asarray(view).astype(np.float64) * brightness
    mean_grey = (colours @ luma).mean()
    colours = mean_grey + (colours - mean_grey) * contrast
    grey = (colours @ luma)[:, :, None]
    expected = np.clip(grey + (colours - grey) * saturation, 0, 255)
    # Half a level of rounding, and float32 at 255 · 3 products.
    assert abs(np.asarray(_jitter(view, *factors)) - expected).max() <= 0.501


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
        left, upper, right, lower = _random_box(size, preprocessing, settings, random(seed))
        assert min(right - left, lower - upper) >= 16 * (1 - 1e-6)


def test_large_jpegs_are_decoded_smaller_and_look_the_same(tmp_path):
    smooth = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8))
    smooth.resize((1600, 1200), Image.Resampling.BICUBIC).save(tmp_path / "a.jpg", quality=95)
    preprocessing, settings = Preprocessing(image_size=64), Augmentation()
    whole, _ = load_with_hash(ImageFile(tmp_path / "a.jpg"))
    scaled, _ = load_with_hash(ImageFile(tmp_path / "a.jpg"), least_side(preprocessing, settings))
    assert scaled.width == 400  # an eighth would be less than twice the least side of 96
    for seed in range(5):
        views = [augment(image, preprocessing, settings, random(seed), False).astype(int) for image in (whole, scaled)]
        assert abs(views[0] - views[1]).mean() < 1  # grey levels
