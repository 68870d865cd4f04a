"""`lexel train SOURCE`: a recipe for whoever has pictures and no recipe, chosen by how many there are."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lexel.data.readers import read_source
from lexel.training.recipe import Recipe

# Up to this many pairs: architecture, batch size, epochs. Small data wants a small model, small batches and many
# epochs; the lengths keep two cores busy for minutes, not hours, up to about fifty thousand pairs.
BY_SIZE: tuple[tuple[float, str, int, float], ...] = (
    (1_000, "lexel-s", 32, 40),
    (10_000, "lexel-s", 128, 25),
    (100_000, "lexel-s", 256, 10),
    (1_000_000, "lexel-m", 512, 10),
    (float("inf"), "ViT-B-32", 1024, 10),
)


def default_recipe(source: str, changes: Sequence[str] = ()) -> Recipe:
    """A sensible recipe for `source`, after the `path.to.field=value` changes. Raises UsageError or DataError."""
    content: dict[str, Any] = {"name": _name(source), "data": {"sources": [{"source": source}]}}
    columns = Recipe.build(content | {"steps": 1}, changes).data
    pairs = len(
        read_source(source, prefer=("train",), caption=columns.caption, label=columns.label, image=columns.image).pairs
    )
    architecture, batch_size, epochs = next(chosen for limit, *chosen in BY_SIZE if pairs <= limit)
    content |= {
        "batch_size": min(batch_size, max(2, pairs // 2)),
        "epochs": epochs,
        "model": {"architecture": architecture},
    }
    return Recipe.build(content, changes, where=source)


def _name(source: str) -> str:
    """A name for the run: the last part of the source that says something."""
    words = [re.sub(r"[^\w.-]+", "-", part).strip("-.") for part in source.replace(":", "-").split("/")]
    telling = [word for word in words if word and word not in {"train", "images", "data"}]
    return Path(telling[-1]).stem if telling else "run"
