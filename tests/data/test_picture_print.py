import io

import numpy as np
import pytest
from pictures import smooth
from PIL import Image, ImageOps

from lexel.data.picture_print import (
    FREQUENCIES,
    GREY_SIDE,
    HASH_BITS,
    MIRRORED,
    perceptual_hash,
    picture_print,
    print_likeness,
    small_greys,
    unit_prints,
)


def bits_apart(one: int, other: int) -> int:
    return (one ^ other).bit_count()


def hash_of(image: Image.Image) -> int:
    return perceptual_hash(small_greys(image))


def test_the_hash_holds_the_signs_of_the_lowest_frequencies():
    greys = small_greys(smooth(0)).astype(float)
    n = np.arange(GREY_SIDE)
    bits = 0
    for number in range(1, HASH_BITS + 1):
        v, u = divmod(number, FREQUENCIES)
        waves = np.outer(
            np.cos(np.pi * (2 * n + 1) * v / (2 * GREY_SIDE)), np.cos(np.pi * (2 * n + 1) * u / (2 * GREY_SIDE))
        )
        bits |= int((waves * greys).sum() > 1e-6) << (number - 1)
    assert hash_of(smooth(0)) == bits


@pytest.mark.parametrize("seed", range(5))
def test_copies_of_another_size_and_quality_have_nearly_the_same_hash_and_print(seed):
    image, file = smooth(seed), io.BytesIO()
    image.resize((60, 45), Image.Resampling.BICUBIC).save(file, "JPEG", quality=50)
    copy = Image.open(file).convert("RGB")
    assert bits_apart(hash_of(image), hash_of(copy)) <= 6
    assert print_likeness(*unit_prints(np.stack([picture_print(image), picture_print(copy)]))) > 0.99
    assert bits_apart(hash_of(image), hash_of(smooth(seed + 100))) > 12


def test_mirroring_flips_known_bits_of_the_hash_and_leaves_the_likeness():
    image = smooth(3)
    mirrored = ImageOps.mirror(image)
    greys = np.random.default_rng(0).integers(0, 256, (GREY_SIDE, GREY_SIDE), dtype=np.uint8)  # no wave of it is near 0
    assert perceptual_hash(greys) ^ int(MIRRORED) == perceptual_hash(greys[:, ::-1])
    assert bits_apart(hash_of(image) ^ int(MIRRORED), hash_of(mirrored)) <= 6  # waves that rounding takes across 0
    one, other = unit_prints(np.stack([picture_print(image), picture_print(mirrored)]))
    assert print_likeness(one, other) > 0.999
    assert (one * other).sum() < 0.9


def test_brightness_changes_no_likeness_and_grey_flat_prints_are_all_alike():
    image = smooth(4)
    darker = Image.eval(image, lambda value: value // 2)
    white, black = Image.new("RGB", (9, 9), "white"), Image.new("RGB", (9, 9))
    bright, dark, one, other = unit_prints(np.stack([picture_print(each) for each in (image, darker, white, black)]))
    assert print_likeness(bright, dark) > 0.999
    assert print_likeness(one, other) == pytest.approx(1, abs=1e-5)
    assert hash_of(white) == hash_of(black) == 0
    assert unit_prints(np.zeros((0, 12, 12, 3), np.uint8)).shape == (0, 12, 12, 3)
