"""Pictures that no two are alike, made quickly."""

import os
from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int, width: int = 24, height: int = 16) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def save(path: Path | str | bytes, seed: int, *, age: float = 60, **options) -> Path:
    """Write a picture as if it had been written `age` seconds ago, so that its time can be trusted."""
    path = Path(os.fsdecode(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed).save(path, **options)
    return aged(path, age)


def aged(path: Path, age: float = 60) -> Path:
    then = path.stat().st_mtime - age
    os.utime(path, (then, then))
    return path


def smooth(seed: int, width: int = 120, height: int = 90) -> Image.Image:
    """A picture without sharp edges, as photographs are, which survives resizing and JPEG."""
    grid = np.random.default_rng(seed).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    return Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
