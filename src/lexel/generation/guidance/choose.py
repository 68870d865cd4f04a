"""Generators by name, as the command line asks for them."""

from typing import Literal, cast, get_args

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

GeneratorName = Literal["strokes", "pixels"]
LEAST_SIZE, MOST_SIZE = 16, 1024  # pixels
MOST_STROKES = 4096
FITTING_STEPS = 150  # in which strokes become the start picture


def make_generator(
    name: str,
    encoder: Encoder,
    *,
    size: int | None = None,
    strokes: int = 64,
    start: ImageLike | None = None,
    seed: int = 0,
) -> Generator:
    """The generator "strokes" or "pixels", of `size` pixels (by default what the model sees), where the model runs.

    With `start` it begins as that picture: pixels as it is, strokes as near as they come to it in a few seconds.
    Raises UsageError for another name or an impossible size, BadImageError for a picture that cannot be read.
    """
    check_name(name)
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


def check_name(name: str) -> GeneratorName:
    """The name of a generator. Raises UsageError for another."""
    known = get_args(GeneratorName)
    if name not in known:
        raise UsageError(
            f'There is no generator "{name}".{did_you_mean(name, known)}\n'
            f"  There are {' and '.join(known)}; in Python also any of your own."
        )
    return cast(GeneratorName, name)


def picture_tensor(image: ImageLike, size: int) -> Tensor:
    """The middle square of a picture, (3, size, size) in 0..1."""
    return torch.from_numpy(as_pixels(image, Preprocessing(image_size=size), exact=False).astype("float32") / 255)


def fit_strokes(drawing: Strokes, picture: Tensor) -> None:
    """Draw a picture (3, S, S) with strokes: least squares of the pixels."""
    drawing.take_colours(picture)
    settings = GuidanceSettings(steps=FITTING_STEPS)
    descend(drawing, lambda images, _: F.mse_loss(images[0], picture), settings, "Drawing the start")
