"""What callers give an Encoder, checked and made pixels: every wrong type is a UsageError with its position."""

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, cast

import numpy as np
from PIL import Image

from lexel.data.pairs import EmbeddedImage, ImageFile, Picture, ShardImage, TableImage
from lexel.errors import BadImageError, UsageError
from lexel.image_arrays import from_tensor, is_tensor
from lexel.images import Preprocessing, decode, fit, to_rgb

ImageLike = str | Path | bytes | BinaryIO | Image.Image | np.ndarray | Picture

_FORMS = "a path, bytes, an open file, a PIL image, or an array or tensor of pixels"
_READING = Lock()  # the same open file may be given twice, and threads share its position


def check_images(images: Iterable[ImageLike]) -> list[ImageLike]:
    """The images as a list. Raises UsageError naming the position and type of what is none."""
    listed = _as_list(images, "images")
    for number, image in enumerate(listed, start=1):
        if not _is_image(image):
            raise UsageError(f"Image {number} is {_described(image)}. An image is {_FORMS}.")
    return listed


def check_texts(texts: Iterable[str]) -> list[str]:
    """The texts as a list. Raises UsageError naming the position and type of what is none."""
    listed = _as_list(texts, "texts")
    for number, text in enumerate(listed, start=1):
        if not isinstance(text, str):
            raise UsageError(f"Text {number} is {_described(text)}. A text is a str.")
    return listed


@contextmanager
def in_image(index: int) -> Iterator[None]:
    """Name the position, counted from 0, of an image whose array is refused."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"Image {index + 1}: {error}") from error.__cause__


def as_pixels(image: ImageLike, preprocessing: Preprocessing, *, exact: bool) -> np.ndarray:
    """The square that the image tower expects, uint8 (3, H, W). Raises BadImageError, or UsageError for no image."""
    return fit(as_picture(image, preprocessing, None if exact else preprocessing.image_size), preprocessing)


def as_picture(image: ImageLike, preprocessing: Preprocessing, at_least: int | None = None) -> Image.Image:
    """The image, upright, as `fit` takes it; a JPEG may come smaller with `at_least` (see `images.decode`).

    Raises BadImageError, or UsageError for no image.
    """
    if not _is_image(image):
        raise UsageError(f"An image is {_FORMS}; this is {_described(image)}.")
    if isinstance(image, ImageFile):
        image = image.path
    if isinstance(image, EmbeddedImage):
        image = image.content
    if isinstance(image, ShardImage | TableImage):
        image = image.content()
    if _is_file(image):
        image = _content(image)
    if isinstance(image, str | bytes | os.PathLike):
        source = image if isinstance(image, bytes) else Path(image)
        return decode(source, at_least, preprocessing.convention)
    if is_tensor(image):
        image = from_tensor(image)
    if isinstance(image, Image.Image | np.ndarray):
        return to_rgb(image, preprocessing.convention)
    return cast(Picture, image).load()


def _as_list(items: Any, what: str) -> list[Any]:
    # The rows of one array would pass for grey pictures, the lines of one file for bytes.
    one_picture = (isinstance(items, np.ndarray) or is_tensor(items)) and items.ndim in (2, 3)
    if one_picture or _is_file(items) or isinstance(items, str | bytes | os.PathLike | Image.Image):
        raise UsageError(f"Give a list, not a single {type(items).__name__}: put it in [ ].")
    if not isinstance(items, Iterable) and not hasattr(items, "__getitem__"):
        raise UsageError(f"Give a list of {what}, not {_described(items)}.")
    return list(items)


def _is_image(value: Any) -> bool:
    known = isinstance(value, str | bytes | os.PathLike | Image.Image | np.ndarray)
    return known or is_tensor(value) or _is_file(value) or callable(getattr(value, "load", None))


def _is_file(value: Any) -> bool:
    return callable(getattr(value, "read", None)) and callable(getattr(value, "seek", None))


def _content(file: Any) -> bytes:
    """All bytes of an open file, from its start: a buffer that was just written stands at its end."""
    if isinstance(file, io.TextIOBase):
        raise UsageError('the file is open as text: open it with mode "rb".')
    with _READING:
        try:
            file.seek(0)
            return file.read()
        except (OSError, ValueError) as error:  # closed, or a pipe
            raise BadImageError(f"the open file cannot be read: {error}") from error


def _described(value: Any) -> str:
    written = repr(value)
    return f"{written if len(written) <= 40 else written[:38] + ' …'} ({type(value).__name__})"
