"""Generators by name, as the command line asks for them."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from lexel.encoder import Encoder
from lexel.encoder_inputs import ImageLike, as_pixels
from lexel.errors import UsageError, did_you_mean
from lexel.generation.guidance.descent import GuidanceSettings, descend
from lexel.generation.guidance.generator import Generator
from lexel.generation.guidance.pixels import FourierPixels
from lexel.generation.guidance.strokes import Strokes
from lexel.images import Preprocessing

if TYPE_CHECKING:
    from lexel.generation.guidance.painter_decoder import PainterDecoder

GeneratorName = Literal["strokes", "pixels", "painter"]
LEAST_SIZE, MOST_SIZE = 16, 1024  # pixels
MOST_STROKES = 4096
FITTING_STEPS = 150  # in which strokes become the start picture


def make_generator(
    name: str,
    encoder: Encoder,
    *,
    size: int | None = None,
    strokes: int = 64,
    painter: str | Path | None = None,
    text: str | None = None,
    start: ImageLike | None = None,
    seed: int = 0,
) -> Generator:
    """The generator of this name, where the model runs: "strokes", "pixels", or "painter", the one in a folder.

    Pictures have `size` pixels, by default what the model sees; a painter's has its own, and begins with what it
    imagines of `text`. With `start` it begins as that picture: pixels as it is, strokes as near as they come to it in a
    few seconds. Raises UsageError for another name or an impossible size, BadImageError for a picture that cannot be
    read.
    """
    if check_name(name, has_painter=painter is not None) == "painter":
        assert painter is not None
        return open_decoder(Path(painter), encoder, size=size, text=text, start=start, seed=seed)
    size = size if size is not None else max(LEAST_SIZE, encoder.preprocessing.image_size)
    if not LEAST_SIZE <= size <= MOST_SIZE:
        raise UsageError(f"A picture of {size:,} pixels a side cannot be steered; {LEAST_SIZE} to {MOST_SIZE:,} can.")
    device = next(encoder.clip.parameters()).device
    picture = None if start is None else picture_tensor(start, size).to(device)
    if name == "pixels":
        return FourierPixels(size, seed=seed, start=None if picture is None else picture[None], device=device)
    if not 1 <= strokes <= MOST_STROKES:
        raise UsageError(f"{strokes:,} strokes cannot be drawn; 1 to {MOST_STROKES:,} can.")
    drawing = Strokes(strokes, size, seed=seed, device=device)
    if picture is not None:
        fit_strokes(drawing, picture)
    return drawing


def open_decoder(
    folder: Path, encoder: Encoder, *, size: int | None, text: str | None, start: ImageLike | None, seed: int
) -> "PainterDecoder":
    """The decoder of the painter in a folder. Raises UsageError where there is none, or for another size."""
    from lexel.generation.guidance.painter_decoder import PainterDecoder
    from lexel.generation.pictures.folder import read_facts
    from lexel.generation.pictures.painter import Painter
    from lexel.generation.pictures.published import is_published

    folder = folder.expanduser()
    is_of_this_model = not is_published(folder) and read_facts(folder).clip.fingerprint == encoder.fingerprint
    device = str(next(encoder.clip.parameters()).device)
    painter = Painter.load(folder, encoder if is_of_this_model else None, device)
    if size is not None and size != painter.size:
        raise UsageError(f"The painter in {folder} makes pictures of {painter.size} pixels, not {size}.")
    picture = (
        None
        if start is None
        else torch.from_numpy(as_pixels(start, Preprocessing(image_size=painter.size), exact=False))
    )
    return PainterDecoder(painter, text=text, start=picture, seed=seed)


def check_name(name: str, *, has_painter: bool = False) -> GeneratorName:
    """The name of a generator. Raises UsageError for another, or where a painter is named without its folder."""
    known = get_args(GeneratorName)
    if name not in known:
        raise UsageError(
            f'There is no generator "{name}".{did_you_mean(name, known)}\n'
            f"  There are {', '.join(known)}; in Python also any of your own."
        )
    if (name == "painter") != has_painter:
        raise UsageError(
            "--with painter needs --painter FOLDER, and the other way round; lexel generate train makes a painter."
        )
    return cast(GeneratorName, name)


def picture_tensor(image: ImageLike, size: int) -> Tensor:
    """The middle square of a picture, (3, size, size) in 0..1."""
    return torch.from_numpy(as_pixels(image, Preprocessing(image_size=size), exact=False).astype("float32") / 255)


def fit_strokes(drawing: Strokes, picture: Tensor) -> None:
    """Draw a picture (3, S, S) with strokes: least squares of the pixels. Ctrl-C ends it as KeyboardInterrupt."""
    drawing.take_colours(picture)
    settings = GuidanceSettings(steps=FITTING_STEPS)
    if (
        descend(drawing, lambda images, _: F.mse_loss(images[0], picture), settings, "Drawing the start")
        < settings.steps
    ):
        raise KeyboardInterrupt  # nothing is steered yet that could be kept
