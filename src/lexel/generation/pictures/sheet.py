"""Generated pictures as files: PNG in a folder, one strip or GIF, one HTML page."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from lexel.errors import UsageError
from lexel.evaluation.report.page import data_uri, page_environment
from lexel.files import check_new_file, make_folder, write_atomically
from lexel.generation.pictures.painter import Drawn

GAP = 2  # pixels between pictures of a strip
SMALLEST = 128  # pixels: smaller pictures are shown at a multiple of their size in strips and GIFs
FRAME = 180  # milliseconds that a picture of a GIF stands
ENDS = 900  # milliseconds, of the first and the last


def check_folder(folder: Path) -> None:
    """Raise UsageError where pictures cannot be written into `folder` without mixing them with others."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file. Give another --output.")
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty. Give another --output for the pictures.")


def check_strip(path: Path) -> None:
    """Raise UsageError unless `path` can be a new PNG or GIF."""
    if path.suffix.lower() not in (".png", ".gif"):
        raise UsageError(
            f"A strip is a .png, with the pictures side by side, or a .gif, one after another; not {path.name}."
        )
    check_new_file(path)


def write_pictures(folder: Path, drawn: Sequence[Drawn]) -> list[Path]:
    """Write each as PNG, numbered in their order; the files' names."""
    make_folder(folder)
    width = max(2, len(str(len(drawn))))
    paths = [folder / f"{place:0{width}}.png" for place in range(1, len(drawn) + 1)]
    for path, picture in zip(paths, drawn, strict=True):
        write_atomically(path, _encoded([picture.image], "PNG"))
    return paths


def write_strip(path: Path, drawn: Sequence[Drawn]) -> None:
    """Write all into one file: side by side (.png), or there and back again (.gif)."""
    images = [_enlarged(picture.image) for picture in drawn]
    if path.suffix.lower() == ".gif":
        write_atomically(path, _encoded(images + images[-2:0:-1], "GIF"))
        return
    side = images[0].width
    strip = Image.new("RGB", (len(images) * (side + GAP) - GAP, side), "white")
    for place, image in enumerate(images):
        strip.paste(image, (place * (side + GAP), 0))
    write_atomically(path, _encoded([strip], "PNG"))


def write_sheet(path: Path, drawn: Sequence[Drawn], *, asked: str, model: str, seed: int) -> None:
    """Write the page. Raises OSError or UsageError, the old file untouched."""
    page = page_environment(Path(__file__).parent).get_template("sheet.html.jinja")
    pictures = [(data_uri(picture.image, "PNG"), picture) for picture in drawn]
    write_atomically(
        path, page.render(asked=asked, model=model, seed=seed, pictures=pictures, side=drawn[0].image.width)
    )


def _enlarged(image: Image.Image) -> Image.Image:
    times = max(1, -(-SMALLEST // image.width))
    return image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)


def _encoded(images: list[Image.Image], kind: str) -> bytes:
    buffer = io.BytesIO()
    if kind == "GIF":
        middle = len(images) // 2
        times = [ENDS if place in (0, middle) else FRAME for place in range(len(images))]
        images[0].save(buffer, kind, save_all=True, append_images=images[1:], duration=times, loop=0)
    else:
        images[0].save(buffer, kind)
    return buffer.getvalue()
