"""A recipe of seconds that goes on from another model."""

from pathlib import Path
from typing import Any

from lexel.training.recipe import Recipe


def fine_tuning_recipe(base: Path, changes: tuple[str, ...] = (), **fields: Any) -> Recipe:
    """Four steps on made-up scenes, from the weights of `base`."""
    content: dict[str, Any] = {
        "name": "tuned",
        "steps": 4,
        "batch_size": 16,
        "precision": "float32",
        "data": {"sources": [{"source": "scenes:32/train"}], "templates": "scene", "workers": 0},
        "model": {"weights": str(base)},
        "optimizer": {"learning_rate": 1e-2},
        "evaluation": {"source": "scenes:16/val", "times": 1},
    }
    return Recipe.build(content | fields, changes)
