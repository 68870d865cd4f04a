"""A recipe of seconds, for tests that need a real run."""

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from lexel.training import finish
from lexel.training.recipe import Recipe


def tiny_recipe(changes: tuple[str, ...] = (), **fields: Any) -> Recipe:
    """Eight steps of a very small model on made-up scenes: no skill to speak of."""
    content: dict[str, Any] = {
        "name": "tiny",
        "steps": 8,
        "batch_size": 16,
        "precision": "float32",
        "data": {"sources": [{"source": "scenes:48/train"}], "templates": "scene", "workers": 0},
        "model": {
            "architecture": "lexel-xs",
            "image": {"width": 32, "depth": 1, "heads": 1},
            "text": {"width": 32, "depth": 1, "heads": 1},
        },
        "tokenizer": {"vocabulary_size": 400},
        "evaluation": {"source": "scenes:24/val", "times": 2},
    }
    return Recipe.build(content | fields, changes)


def without_curves() -> AbstractContextManager[object]:
    """Runs draw no curves in this process meanwhile, which takes as long as all steps of a tiny one."""
    return patch.object(finish, "draw_curves")
