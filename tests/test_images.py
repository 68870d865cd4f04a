import io
import os
import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lexel.errors import BadImageError, UsageError
from lexel.images import FORMATS, MAX_PIXELS, Preprocessing, decode, describe, fit, normalize, to_rgb


def encoded(image: Image.Image, format: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def photo(width: int = 640, height: int = 480) -> Image.Image:
    """Smooth with some detail, as photographs are."""
    down, across = np.mgrid[0:height, 0:width]
    waves = [127 + 80 * np.sin(across / (9 + channel) + down / 17) + 40 * np.cos(down / 5) for channel in range(3)]
    return Image.fromarray(np.stack(waves, axis=-1).clip(0, 255).astype(np.uint8))


def corner(image: Image.Image) -> tuple[int, ...]:
    return image.getpixel((0, 0))  # pyright: ignore[reportReturnType]


def png_claiming(width: int, height: int) -> bytes:
    content = bytearray(encoded(Image.new("L", (1, 1))))
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])))
    return bytes(content)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_out_upright(orientation):
    upright = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3) * 40).convert("RGB")
    undo = {
        1: [],
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }[orientation]
    stored = upright
    for step in undo:
        stored = stored.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    for format in ("PNG", "TIFF"):
        assert np.array_equal(decode(encoded(stored, format, exif=exif)), upright)


def test_transparency_is_laid_over_white():
    clear = Image.new("RGBA", (2, 2), (255, 0, 0, 0))
    half = Image.new("LA", (2, 2), (0, 128))
    assert corner(decode(encoded(clear))) == (255, 255, 255)
    assert corner(decode(encoded(half))) == (127, 127, 127)
    palette = Image.new("P", (2, 2), 0)
    palette.putpalette([10, 20, 30, 200, 0, 0])
    assert corner(decode(encoded(palette))) == (10, 20, 30)
    assert corner(decode(encoded(palette, transparency=0))) == (255, 255, 255)
    assert corner(decode(encoded(palette, "GIF", transparency=0))) == (255, 255, 255)


def test_open_clips_convention_keeps_the_mode_until_the_picture_is_fitted():
    half = Image.new("LA", (6, 3), (40, 128))
    half.putpixel((0, 0), (200, 255))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    for picture in (decode(encoded(half, exif=exif), convention="open_clip"), to_rgb(half, "open_clip").rotate(180)):
        assert (picture.mode, picture.getpixel((5, 2))) == ("LA", (200, 255))
        fitted = fit(picture, Preprocessing(image_size=3, resize="squash", convention="open_clip"))
        assert fitted[:, 0, 0].tolist() == pytest.approx([40] * 3, abs=1)  # transparency alone is rounded
    assert corner(decode(encoded(half), convention="transformers")) == (200, 200, 200)


def test_edges_are_filled_with_the_wanted_grey():
    padded = fit(Image.new("RGB", (40, 20), "white"), Preprocessing(image_size=4, resize="pad", fill=9))
    assert padded[:, [0, 3]].flatten().tolist() == [9] * 24
    assert padded[:, 1:3].min() == 255


def test_cmyk_and_one_bit_pictures_become_rgb():
    assert corner(decode(encoded(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), "TIFF"))) == (0, 255, 255)
    assert corner(decode(encoded(Image.new("1", (8, 8), 1)))) == (255, 255, 255)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_and_not_clipped(format):
    grey = Image.fromarray(np.array([[0, 32768, 65535]], dtype=np.uint16))
    assert np.asarray(decode(encoded(grey, format)))[0, :, 0].tolist() == [0, 128, 255]


def test_real_and_wide_integer_greys_are_scaled_to_what_they_hold():
    def levels(values: list[float], dtype: type) -> list[int]:
        return np.asarray(to_rgb(Image.fromarray(np.array([values], dtype=dtype))))[0, :, 0].tolist()

    assert levels([0.0, 0.5, 1.0], np.float32) == [0, 128, 255]
    assert levels([0.0, 100.0, 200.0], np.float32) == [0, 100, 200]
    assert levels([-1.0, 0.0, 1.0], np.float32) == [0, 128, 255]
    assert levels([float("nan"), 0.0, 1.0], np.float32) == [0, 0, 255]
    assert levels([0, 257, 65535], np.int32) == [0, 1, 255]


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    for format in ("GIF", "WEBP", "PNG"):
        animation = encoded(frames[0], format, save_all=True, append_images=frames[1:], lossless=True)
        assert corner(decode(animation)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"hello, I am a text file", "not an image of a known format"),
        (encoded(photo(), "JPEG")[:5000], "truncated"),
        (encoded(photo())[:5000], "truncated"),
        (png_claiming(30000, 30000), "more pixels than the limit of 178,000,000"),
        (png_claiming(10000, 17850), "10,000 × 17,850 pixels are over the limit of 178,000,000"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image of a known format"),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # pytest undoes the filter of lexel.images
def test_what_cannot_be_decoded_says_why(content, reason):
    with pytest.raises(BadImageError, match=reason):
        decode(content)


def test_a_large_picture_below_the_limit_is_not_warned_of(tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(png_claiming(10000, 12000))
    program = "import sys, lexel.images\ntry: lexel.images.decode(sys.argv[1])\nexcept lexel.images.BadImageError: pass"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, path], capture_output=True, check=True, text=True
    )
    assert run.stderr == ""


def test_a_file_that_cannot_be_decoded_is_named(tmp_path):
    with pytest.raises(BadImageError, match=r"none\.jpg: no such file"):
        decode(tmp_path / "none.jpg")
    with pytest.raises(BadImageError, match="not a file"):
        decode(tmp_path)
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(BadImageError, match=r"empty\.jpg: empty file"):
        decode(str(tmp_path / "empty.jpg"))
    with pytest.raises(BadImageError, match="File name too long"):
        decode("x" * 5000)
    with pytest.raises(BadImageError, match="not a file name"):
        decode("a\0b")


def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(BadImageError, match="not a file"):
        decode(tmp_path / "pipe.jpg")


def test_the_pixel_limit_is_below_pillows_own():
    assert Image.MAX_IMAGE_PIXELS is not None
    assert MAX_PIXELS < 2 * Image.MAX_IMAGE_PIXELS


def test_every_listed_format_is_known_to_pillow():
    Image.init()
    assert set(FORMATS) <= set(Image.OPEN)


@settings(max_examples=150, deadline=None)
@given(
    format=st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "ICO", "JPEG2000", "PPM", "TGA", "PCX"]),
    damage=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=20),
)
def test_a_damaged_file_is_decoded_or_refused_but_never_anything_else(format, damage):
    content = bytearray(encoded(photo(24, 16), format))
    for place, value in damage:
        content[int(place * len(content))] = value
    with suppress(BadImageError):
        assert decode(bytes(content)).mode == "RGB"


def test_paths_strings_bytes_and_files_decode_alike(tmp_path):
    path = Path(tmp_path / "photo.png")
    path.write_bytes(encoded(photo()))
    with path.open("rb") as file:
        decoded = [decode(path), decode(str(path)), decode(path.read_bytes()), decode(file)]
    assert all(np.array_equal(image, photo()) for image in decoded)


def test_a_jpeg_decoded_small_fits_to_nearly_the_same_pixels():
    content = encoded(photo(2000, 1500), "JPEG", quality=95)
    small = decode(content, at_least=100)
    assert (small.width, small.height) == (500, 375)
    preprocessing = Preprocessing(image_size=100)
    difference = fit(small, preprocessing).astype(float) - fit(decode(content), preprocessing)
    assert np.abs(difference).mean() < 0.5


def test_a_header_is_described_without_decoding():
    assert describe(encoded(Image.new("CMYK", (8, 8)), "JPEG")) == ("JPEG", "CMYK")


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@given(width=st.integers(10, 300), height=st.integers(10, 300), size=st.integers(1, 64))
@settings(max_examples=40, deadline=None)
def test_shortest_equals_resizing_all_and_cropping_the_middle(interpolation, width, height, size):
    image = photo(width, height)
    fitted = fit(image, Preprocessing(image_size=size, interpolation=interpolation))
    shortest = min(width, height)
    whole = image.resize(
        (int(size * width / shortest), int(size * height / shortest)),
        getattr(Image.Resampling, interpolation.upper()),
    )
    left, top = round((whole.width - size) / 2), round((whole.height - size) / 2)
    expected = np.asarray(whole.crop((left, top, left + size, top + size))).transpose(2, 0, 1)
    assert fitted.shape == (3, size, size)
    assert np.array_equal(fitted, expected)


def test_a_sliver_of_a_picture_shows_its_middle_and_does_not_grow_to_gigabytes():
    sliver = Image.new("RGB", (2_000_000, 1), "red")
    sliver.paste("blue", (1_000_000, 0, 2_000_000, 1))
    fitted = fit(sliver, Preprocessing(interpolation="bilinear"))
    assert np.abs(fitted[:, 0, [0, -1]].T.astype(int) - [[255, 0, 0], [0, 0, 255]]).max() <= 1


def test_squash_shows_all_and_pad_adds_black_edges():
    wide = Image.new("RGB", (40, 20), "white")
    assert fit(wide, Preprocessing(image_size=8, resize="squash")).min() == 255
    padded = fit(wide, Preprocessing(image_size=8, resize="pad"))
    assert padded[0].tolist() == [[0] * 8] * 2 + [[255] * 8] * 4 + [[0] * 8] * 2


def test_normalizing_centres_and_scales_each_colour():
    preprocessing = Preprocessing(mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 1.0))
    pixels = np.full((2, 3, 4, 4), 255, np.uint8)
    normal = normalize(pixels, preprocessing)
    assert normal.dtype == np.float32
    assert normal[0, :, 0, 0].tolist() == [1.0, 3.0, 1.0]
    assert pixels.min() == 255


def test_arrays_become_rgb_and_others_are_refused_with_their_shape():
    assert corner(to_rgb(np.full((2, 2), 7, np.uint8))) == (7, 7, 7)
    assert corner(to_rgb(np.full((2, 2, 3), 7, np.uint8))) == (7, 7, 7)
    for wrong in (np.zeros((5, 8, 8), np.uint8), np.zeros((8, 8, 3), int), np.zeros((0, 8), np.uint8)):
        with pytest.raises(UsageError, match="an image array must"):
            to_rgb(wrong)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
def test_a_decoded_picture_is_not_turned_again(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / f"turned.{suffix}"
    Image.new("RGB", (30, 20), "red").save(path, exif=exif)
    upright = decode(path)
    assert upright.size == (20, 30)
    assert to_rgb(upright).size == (20, 30)
