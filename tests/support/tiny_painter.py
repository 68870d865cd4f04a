"""A painter that learns in a moment, of a CLIP with random weights."""

from pathlib import Path

from tiny_towers import KINDS, build, write_folder

import lexel
from lexel.data.readers import read_source
from lexel.generation.pictures.folder import PainterFacts
from lexel.generation.pictures.recipe import PainterRecipe
from lexel.generation.pictures.training import train_painter

SOURCE = "scenes:24/train"


def tiny_clip(folder: Path, kind: str = "clip") -> Path:
    """Its model folder; 24 or 32 dimensions."""
    return write_folder(folder, build(KINDS[kind]))


def tiny_painter_recipe(**decoder_learning: object) -> PainterRecipe:
    """A handful of steps, pictures of 8 pixels."""
    common = {"batch_size": 4, "precision": "float32", "snapshot": {"every_steps": 2}, "average": 0.9}
    return PainterRecipe.model_validate(
        {
            "prior": {"width": 16, "depth": 1},
            "prior_learning": common | {"steps": 6},
            "decoder": {"size": 8, "channels": (32,), "attention": 1},
            "decoder_learning": common | {"steps": 8} | decoder_learning,
        }
    )


def train_tiny_painter(clip: Path, folder: Path, **decoder_learning: object) -> PainterFacts:
    recipe = tiny_painter_recipe(**decoder_learning)
    return train_painter(lexel.load(clip), read_source(SOURCE), folder, recipe)
