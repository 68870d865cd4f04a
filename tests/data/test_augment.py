import numpy as np
import pytest
from PIL import Image

from lexel.data.augment import Augmentation, augment
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
