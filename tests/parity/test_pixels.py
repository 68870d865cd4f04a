"""Pixels beside those of the published pipelines: OpenCLIP's restated here, transformers' from itself.

`open_clip.image_transform` itself gave no other pixel than Lexel in 3,024 pictures of these modes and sizes (open_clip
3.3.0, torchvision 0.28, Pillow 13).
"""

from functools import cache

import numpy as np
import pytest
from every_mode import in_mode, pictures
from PIL import Image, ImageOps
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from lexel.images import Preprocessing, fit, normalize, to_rgb

FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@cache  # painting them takes as long as fitting them
def every_picture() -> list[tuple[str, Image.Image]]:
    return list(pictures())


def pixels(image: Image.Image, preprocessing: Preprocessing) -> np.ndarray:
    return fit(to_rgb(image.copy(), preprocessing.convention), preprocessing).astype(int)


def half_to_even(number: float) -> int:
    return round(number)


def open_clip_shortest(image: Image.Image, size: int, filter: Image.Resampling) -> Image.Image:
    """torchvision's Resize of the shorter side and CenterCrop."""
    width, height = image.size
    if width <= height:
        image = image.resize((size, int(size * height / width)), filter)
    else:
        image = image.resize((int(size * width / height), size), filter)
    left, top = half_to_even((image.width - size) / 2.0), half_to_even((image.height - size) / 2.0)
    return image.crop((left, top, left + size, top + size))


def open_clip_squash(image: Image.Image, size: int, filter: Image.Resampling) -> Image.Image:
    return image.resize((size, size), filter)


def open_clip_longest(image: Image.Image, size: int, filter: Image.Resampling, fill: int) -> Image.Image:
    """OpenCLIP's ResizeKeepRatio and CenterCropOrPad; torchvision pads a palette by its index and keeps the palette."""
    ratio = max(image.height / size, image.width / size)
    width, height = half_to_even(image.width / ratio), half_to_even(image.height / ratio)
    image = image.resize((width, height), filter)
    edges = ((size - width) // 2, (size - height) // 2, (size - width + 1) // 2, (size - height + 1) // 2)
    bands = len(image.getbands())
    return ImageOps.expand(image, edges, fill=fill if bands == 1 else (fill,) * bands)


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [32, 65])
def test_every_mode_and_size_gives_the_pixels_of_open_clip(size, interpolation):
    filter = FILTERS[interpolation]
    for resize in ("shortest", "squash", "pad"):
        preprocessing = Preprocessing.model_validate(
            {
                "image_size": size,
                "resize": resize,
                "interpolation": interpolation,
                "fill": 77,
                "convention": "open_clip",
            }
        )
        for name, image in every_picture():
            if resize == "pad" and max(image.size) / min(image.size) > 2 * size:
                continue  # OpenCLIP fails on these
            match resize:
                case "shortest":
                    expected = open_clip_shortest(image, size, filter)
                case "squash":
                    expected = open_clip_squash(image, size, filter)
                case _:
                    expected = open_clip_longest(image, size, filter, fill=77)
            expected = np.asarray(expected.convert("RGB")).transpose(2, 0, 1).astype(int)
            assert np.abs(pixels(image, preprocessing) - expected).max() <= 1, f"{name}, {resize}"


@pytest.mark.parametrize(("interpolation", "code"), [("bicubic", 3), ("bilinear", 2)])
@pytest.mark.parametrize("size", [32, 65])
def test_every_mode_and_size_gives_the_pixels_of_transformers(size, interpolation, code):
    cropped = CLIPImageProcessorPil(
        size={"shortest_edge": size}, crop_size={"height": size, "width": size}, resample=code, do_normalize=False
    )
    squashed = SiglipImageProcessorPil(size={"height": size, "width": size}, resample=code, do_normalize=False)
    for resize, processor in (("shortest", cropped), ("squash", squashed)):
        preprocessing = Preprocessing.model_validate(
            {"image_size": size, "resize": resize, "interpolation": interpolation, "convention": "transformers"}
        )
        for name, image in every_picture():
            expected = np.rint(processor(image, return_tensors="np")["pixel_values"][0] * 255)
            assert np.abs(pixels(image, preprocessing) - expected).max() <= 1, f"{name}, {resize}"


def test_normalized_pixels_are_those_of_transformers():
    image = in_mode("RGB", (97, 64))
    theirs = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    preprocessing = Preprocessing(image_size=32, convention="transformers")
    ours = normalize(fit(image, preprocessing), preprocessing)
    assert np.abs(ours - theirs(image, return_tensors="np")["pixel_values"][0]).max() < 1e-5


def test_the_conventions_differ_where_they_say_so():
    clear = Image.new("RGBA", (8, 8), (10, 20, 30, 0))
    grey = Image.fromarray(np.full((8, 8), 32768, np.uint16))
    corners = {}
    for convention in ("lexel", "open_clip", "transformers"):
        preprocessing = Preprocessing(image_size=4, convention=convention)
        corners[convention] = [pixels(image, preprocessing)[0, 0, 0] for image in (clear, grey)]
    assert corners == {"lexel": [255, 128], "open_clip": [0, 255], "transformers": [255, 255]}


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_longer_sliver_than_any_is_cut_from_its_neighbourhood_alone(mode):
    image = in_mode(mode, (4_001, 5))
    expected = np.asarray(open_clip_shortest(image, 16, Image.Resampling.BICUBIC).convert("RGB")).transpose(2, 0, 1)
    found = pixels(image, Preprocessing(image_size=16, convention="open_clip"))
    assert np.abs(found - expected.astype(int)).max() <= 1
