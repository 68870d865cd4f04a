"""The result as a file: a drawing as SVG, a picture as PNG, WebP or JPEG, and the film of the way as a GIF."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from lexel.errors import UsageError
from lexel.files import check_new_file, write_atomically
from lexel.generation.guidance.generator import Generator, Vectorial

FORMATS = {".png": "PNG", ".webp": "WEBP", ".jpg": "JPEG", ".jpeg": "JPEG"}
FRAME_TIME, LAST_FRAME_TIME = 60, 2000  # milliseconds


def check_picture_file(path: Path, *, is_vectorial: bool) -> None:
    """Raise UsageError where the result cannot be written there: no such folder, or no kind of file for it."""
    check_new_file(path)
    suffix = path.suffix.lower()
    if suffix == ".svg" and not is_vectorial:
        raise UsageError(f"{path}: only strokes can be written as SVG. Give --with strokes, or a .png.")
    if suffix != ".svg" and suffix not in FORMATS:
        raise UsageError(f'{path}: "{suffix or path.name}" is not written here. Take .svg, .png, .webp or .jpg.')


def check_film_file(path: Path) -> None:
    """Raise UsageError where no film can be written there."""
    check_new_file(path)
    if path.suffix.lower() != ".gif":
        raise UsageError(f"{path}: a film is written as a GIF. Give a name that ends in .gif.")


def write_picture(path: Path, picture: Image.Image, generator: Generator, title: str) -> None:
    """Write the result whole or not at all, as what the name's ending says. Raises OSError or UsageError."""
    check_picture_file(path, is_vectorial=isinstance(generator, Vectorial))
    if path.suffix.lower() == ".svg":
        assert isinstance(generator, Vectorial)
        write_atomically(path, generator.to_svg(title))
        return
    content = io.BytesIO()
    picture.save(content, FORMATS[path.suffix.lower()], quality=95, lossless=True)
    write_atomically(path, content.getvalue())


def write_film(path: Path, frames: Sequence[Image.Image]) -> None:
    """Write the frames as a GIF that stops a while at the last and begins again. Raises OSError or UsageError."""
    check_film_file(path)
    content = io.BytesIO()
    times = [FRAME_TIME] * (len(frames) - 1) + [LAST_FRAME_TIME]
    frames[0].save(content, "GIF", save_all=True, append_images=frames[1:], duration=times, loop=0)
    write_atomically(path, content.getvalue())
