"""A library of coloured pictures, told by their names, for what works on libraries."""

from pathlib import Path

import numpy as np
from PIL import Image
from quick_encoder import QuickEncoder

from lexel.library.library import Library

COLOURS = ("red", "orange", "yellow", "green", "blue", "navy", "purple", "white", "black", "gray")


def coloured(path: Path, colour: str, seed: int) -> Path:
    """Write a picture of one colour, a little noisy, so that no two are alike."""
    pixels = np.asarray(Image.new("RGB", (24, 16), colour)).astype(int)
    noise = np.random.default_rng(seed).integers(-12, 13, pixels.shape)
    Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8)).save(path)
    return path


def coloured_library(home: Path, colours: tuple[str, ...] = COLOURS, each: int = 8) -> Library:
    folder = home / "pictures"
    folder.mkdir(parents=True)
    for number, colour in enumerate(colours * each):
        coloured(folder / f"{colour}-{number // len(colours)}.png", colour, number)
    library = Library.open(home / "l.lexel", QuickEncoder(), create=True)
    library.add(folder)
    return library
