"""Lexel: train, evaluate and use CLIP models.

The public names are loaded when they are first used, so that `import lexel` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lexel.version import __version__ as __version__

if TYPE_CHECKING:
    from lexel.conversion import convert, export
    from lexel.data.readers import read_source
    from lexel.encoder import Encoder
    from lexel.errors import LexelError
    from lexel.evaluation.calibrate import calibrate
    from lexel.evaluation.classifier import ZeroShotClassifier
    from lexel.evaluation.comparison.compare import compare
    from lexel.evaluation.evaluate import evaluate
    from lexel.evaluation.ranking import rank_captions
    from lexel.evaluation.report.report import Report
    from lexel.generation.captions.captioner import Captioner
    from lexel.generation.guidance.guide import guide
    from lexel.generation.heat_maps.explain import explain
    from lexel.generation.pictures.painter import Painter
    from lexel.library.library import Library
    from lexel.library.search.query import Hit, Query
    from lexel.loading import load
    from lexel.server.client import Client
    from lexel.training.recipe import Recipe
    from lexel.training.trainer import Run, train

__all__ = [
    "Captioner",
    "Client",
    "Encoder",
    "Hit",
    "LexelError",
    "Library",
    "Painter",
    "Query",
    "Recipe",
    "Report",
    "Run",
    "ZeroShotClassifier",
    "calibrate",
    "compare",
    "convert",
    "evaluate",
    "explain",
    "export",
    "guide",
    "load",
    "rank_captions",
    "read_source",
    "train",
]

_HOMES = {
    "Captioner": "lexel.generation.captions.captioner",
    "Client": "lexel.server.client",
    "Encoder": "lexel.encoder",
    "Hit": "lexel.library.search.query",
    "LexelError": "lexel.errors",
    "Library": "lexel.library.library",
    "Painter": "lexel.generation.pictures.painter",
    "Query": "lexel.library.search.query",
    "Recipe": "lexel.training.recipe",
    "Report": "lexel.evaluation.report.report",
    "Run": "lexel.training.trainer",
    "ZeroShotClassifier": "lexel.evaluation.classifier",
    "calibrate": "lexel.evaluation.calibrate",
    "compare": "lexel.evaluation.comparison.compare",
    "convert": "lexel.conversion",
    "evaluate": "lexel.evaluation.evaluate",
    "explain": "lexel.generation.heat_maps.explain",
    "export": "lexel.conversion",
    "guide": "lexel.generation.guidance.guide",
    "load": "lexel.loading",
    "rank_captions": "lexel.evaluation.ranking",
    "read_source": "lexel.data.readers",
    "train": "lexel.training.trainer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lexel' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
