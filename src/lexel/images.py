"""Bytes to pixels: decoding whatever people call a picture, and fitting it to what the image tower expects.

Files are not trusted. The format is one of a list, the size is checked before anything is decoded, and whatever Pillow
raises at a damaged or hostile file comes out as one BadImageError that says why in a few words.
"""

import io
import logging
import stat
import warnings
from math import ceil, floor
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from pydantic import Field, PositiveFloat, PositiveInt

from lexel.config import Config
from lexel.errors import BadImageError
from lexel.extras import install_command
from lexel.image_arrays import from_array
from lexel.image_modes import Convention, as_convention, as_rgb
from lexel.image_plugins import register_heic, silence_libtiff

MAX_PIXELS = 178_000_000  # of one picture, just under the limit at which Pillow itself refuses
MOST_STRETCHED = 256  # times its shortest side; of longer slivers only the middle is resized, or they grow to gigabytes

# Neither those that run other programs (EPS, WMF) nor those that hold no picture of their own.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", "TGA", "ICO", "CUR", "PCX", "DDS")

# Pillow warns of large pictures, which MAX_PIXELS judges here, and of odd metadata, which does not matter here.
# Set once because warnings.catch_warnings is not safe among threads.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())  # or its errors go to standard error beside our own

_ORIENTATION = 0x0112
_ORIENTATION_NOTES = ("exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp")  # Pillow's names for them
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
RESAMPLING = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


class Preprocessing(Config):
    """How a picture becomes the square that an image tower was trained on; kept with the weights.

    `convention` says whose way with the particulars is followed. Lexel's and transformers' lay transparency over white
    and then resize; OpenCLIP's, and OpenAI's, resizes in the picture's own mode (which for palettes means dropping
    pixels) and ignores transparency. Greys of more than 8 bits are scaled by Lexel's and clipped by both others.
    Transformers' crop leans to the upper left by up to a pixel. Pictures are turned upright in all three, although
    neither library does so by default.
    """

    image_size: PositiveInt = 224  # pixels, square
    resize: Literal["shortest", "squash", "pad"] = "shortest"  # crop the middle, distort, or add edges
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    fill: int = Field(default=0, ge=0, le=255)  # of the edges, in each channel
    convention: Convention = "lexel"
    mean: tuple[float, float, float] = (0.48145466, 0.4578275, 0.40821073)  # of red, green, blue in 0..1
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (0.26862954, 0.26130258, 0.27577711)


def decode(
    source: Path | str | bytes | BinaryIO,
    at_least: int | None = None,
    convention: Convention = "lexel",
    oversampling: int = 2,
) -> Image.Image:
    """The picture in a file or in bytes, upright and RGB. Raises BadImageError when there is none to be had.

    OpenCLIP's `convention` keeps the picture's own mode; `fit` makes it RGB.

    With `at_least`, a JPEG may come smaller than it is, with no side under `oversampling` times that many pixels: at
    twice, five times as fast for photographs, and after `fit` to `at_least` pixels within half a grey level of the
    same; at once, within one to two levels.
    """
    least = None if at_least is None else oversampling * at_least
    if isinstance(source, str | Path):
        try:
            with _open_file(Path(source)) as file:
                return _decode(file, least, convention)
        except BadImageError as error:
            raise BadImageError(f"{source}: {error}") from error.__cause__
    return _decode(io.BytesIO(source) if isinstance(source, bytes) else source, least, convention)


def read_file(path: Path) -> bytes:
    """The content of a picture's file. Raises BadImageError, which names the file, when it cannot be read."""
    try:
        with _open_file(path) as file:
            return file.read()
    except BadImageError as error:
        raise BadImageError(f"{path}: {error}") from error.__cause__
    except OSError as error:  # a failing disk
        raise BadImageError(f"{path}: {error.strerror}") from error


def describe(source: Path | bytes) -> tuple[str, str]:
    """How a picture is stored, read from its header alone: its format and mode, such as ("JPEG", "CMYK")."""
    with _open_file(source) if isinstance(source, Path) else io.BytesIO(source) as file, open_header(file) as image:
        return image.format or "", image.mode


def to_rgb(image: Image.Image | np.ndarray, convention: Convention = "lexel") -> Image.Image:
    """A Pillow image of any mode, or an array of pixels (see `from_array`), as an upright RGB image.

    Transparency is laid over white. Greys of more than 8 bits are scaled: 16-bit from 0..65535, real numbers from 0..1
    or 0..255, and what goes beyond these from its own darkest to its own brightest value. Other conventions: see
    Preprocessing and `decode`.
    """
    if isinstance(image, np.ndarray):
        image = from_array(image)
    try:
        image.load()
        return as_convention(_turn_upright(image), convention)
    except Exception as error:  # any: see _decode
        raise BadImageError(_reason(error)) from error


def fit(image: Image.Image, preprocessing: Preprocessing) -> np.ndarray:
    """Resize a picture that was decoded by the same convention to the square of the preprocessing. → uint8 (3, H, W)"""
    resampling = RESAMPLING[preprocessing.interpolation]
    if preprocessing.resize == "shortest":
        image = _resize_and_crop(image, preprocessing, resampling)
    elif preprocessing.resize == "squash":
        image = image.resize((preprocessing.image_size, preprocessing.image_size), resampling)
    else:
        image = _resize_and_pad(image, preprocessing, resampling)
    return np.ascontiguousarray(np.asarray(as_rgb(image)).transpose(2, 0, 1))


def normalize(pixels: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Centre and scale colours as the towers want them. uint8 (..., 3, H, W) → float32, same shape"""
    normal = pixels.astype(np.float32)
    normal /= 255
    normal -= np.array(preprocessing.mean, np.float32)[:, None, None]
    normal /= np.array(preprocessing.std, np.float32)[:, None, None]
    return normal


def _open_file(path: Path) -> BinaryIO:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would block for ever
            raise BadImageError("not a file")
        return path.open("rb")
    except FileNotFoundError as error:
        raise BadImageError("no such file") from error
    except (OSError, ValueError) as error:
        raise BadImageError(getattr(error, "strerror", None) or "not a file name") from error


def _decode(file: BinaryIO, least: int | None, convention: Convention) -> Image.Image:
    try:
        image = open_header(file)
        _check_size(*image.size)
        if least is not None:
            image.draft(None, (least, least))  # only JPEG heeds it
        image.load()
        return as_convention(_turn_upright(image), convention)
    except BadImageError:
        raise
    except UnidentifiedImageError as error:
        raise BadImageError(_why_unknown(file)) from error
    except Exception as error:  # any: Pillow's readers raise nearly everything at files that were made to break them
        raise BadImageError(_reason(error)) from error


def open_header(file: BinaryIO) -> Image.Image:
    """What Pillow finds in a file, its pixels not read yet; HEIC too where pillow-heif is installed.

    Raises nearly anything for a damaged file.
    """
    formats = (*FORMATS, "HEIF") if _is_heic(file) and register_heic() else FORMATS
    image = Image.open(file, formats=formats)
    if image.format == "TIFF":
        silence_libtiff()
    return image


def _is_heic(file: BinaryIO) -> bool:
    head = file.read(12)
    file.seek(0)
    return head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise BadImageError(f"{width:,} × {height:,} pixels are over the limit of {MAX_PIXELS:,}")
    if width * height == 0:
        raise BadImageError("it has no pixels")


def _why_unknown(file: BinaryIO) -> str:
    file.seek(0)
    if not file.read(1):
        return "empty file"
    file.seek(0)
    if _is_heic(file):
        return "HEIC: damaged" if register_heic() else f"HEIC needs pillow-heif: {install_command('pillow_heif')}"
    return "not an image of a known format"


def _reason(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return f"more pixels than the limit of {MAX_PIXELS:,}"
    if isinstance(error, MemoryError):
        return "it needs too much memory"
    if isinstance(error, EOFError) or "truncated" in str(error).lower():
        return "truncated"
    return f"damaged ({' '.join(str(error).split())[:80] or type(error).__name__})"


def _turn_upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # any: damaged EXIF costs the orientation, not the picture
        return image
    if orientation not in _UPRIGHT:
        return image
    upright = image.transpose(_UPRIGHT[orientation])
    for note in _ORIENTATION_NOTES:  # or it would be turned again wherever it is taken for a picture of its own
        upright.info.pop(note, None)
    return upright


def _resize_and_crop(image: Image.Image, preprocessing: Preprocessing, resampling: Image.Resampling) -> Image.Image:
    """The shortest side to the wanted size, then the middle, rounded as torchvision or transformers do."""
    size, shortest = preprocessing.image_size, min(image.size)
    whole = int(size * image.width / shortest), int(size * image.height / shortest)
    left, top = (
        (side - size) // 2 if preprocessing.convention == "transformers" else round((side - size) / 2) for side in whole
    )
    if max(image.size) > MOST_STRETCHED * shortest:
        return _resize_part(image, whole, (left, top), size, resampling)
    return image.resize(whole, resampling).crop((left, top, left + size, top + size))


def _resize_part(
    image: Image.Image, whole: tuple[int, int], corner: tuple[int, int], size: int, resampling: Image.Resampling
) -> Image.Image:
    """The square at `corner` of the image resized to `whole`, from its neighbourhood alone."""
    starts, stops, box = [], [], []
    for side, resized, at in zip(image.size, whole, corner, strict=True):
        scale = side / resized
        reach = ceil(2 * max(1, scale)) + 1  # of the bicubic filter
        start, stop = max(0, floor(at * scale) - reach), min(side, ceil((at + size) * scale) + reach)
        starts.append(start)
        stops.append(stop)
        box.append((at * scale - start, min(stop - start, (at + size) * scale - start)))  # Pillow's are 32-bit floats
    near = image.crop((*starts, *stops))
    return near.resize((size, size), resampling, box=(box[0][0], box[1][0], box[0][1], box[1][1]))


def _resize_and_pad(image: Image.Image, preprocessing: Preprocessing, resampling: Image.Resampling) -> Image.Image:
    size = preprocessing.image_size
    ratio = max(image.size) / size
    width, height = (max(1, round(side / ratio)) for side in image.size)
    left, top = (size - width) // 2, (size - height) // 2
    edges = (left, top, size - width - left, size - height - top)
    resized = image.resize((width, height), resampling)
    bands = len(resized.getbands())
    return ImageOps.expand(resized, edges, fill=preprocessing.fill if bands == 1 else (preprocessing.fill,) * bands)
