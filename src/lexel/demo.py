"""The whole journey on pictures that Lexel draws itself: learn, measure on combinations never seen, use."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from PIL import Image

from lexel.data.readers import read_source
from lexel.encoder import Encoder
from lexel.evaluation.classifier import ZeroShotClassifier
from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.report.report import Report
from lexel.files import write_atomically
from lexel.loading import load
from lexel.training.recipe import Recipe
from lexel.training.trainer import Run, train

TEST = "scenes:1000/test"
PICTURES = 6  # shown at the end


@dataclass(frozen=True)
class Shown:
    """One picture of an unseen combination, and what the model says of it."""

    path: Path
    label: str
    caption: str
    guesses: list[tuple[str, float]]


@dataclass(frozen=True)
class Demo:
    """What the demo came to."""

    run: Run
    encoder: Encoder
    report: Report  # of the unseen combinations
    page: Path
    classes: int
    shown: list[Shown]

    def to_json(self) -> dict[str, object]:
        metrics = self.report.metrics()
        return {
            "zero_shot_top1": metrics["zero_shot/top1"],
            "chance": 1 / self.classes,
            "classes": self.classes,
            "retrieval_recall_at_1": metrics["retrieval/image_to_text/recall@1"],
            "training_seconds": self.run.training_seconds,
            "report": str(self.page),
            "model": str(self.run.model),
        }


def demo_recipe(changes: list[str]) -> Recipe:
    """The demo's own recipe, which comes with Lexel, after the `path.to.field=value` changes."""
    with as_file(files("lexel") / "demo.toml") as path:
        return Recipe.load(path, changes)


def run_demo(recipe: Recipe, folder: Path, on_progress: Callable[[str], None]) -> Demo:
    """Train, measure and use; `on_progress` is given a sentence before each part."""
    on_progress("Learning from captioned pictures; thirty combinations of shape and colour are kept from it")
    run = train(recipe, folder / "run")
    on_progress("Measuring on the combinations that it has never seen or read of")
    encoder = load(run.model)
    test = read_source(TEST)
    report = evaluate(encoder, test, templates="scene")
    report.save(folder / "report")
    on_progress("Using it")
    classifier = ZeroShotClassifier(encoder, test.labels, templates="scene")
    named = [pair for pair in test.pairs if pair.label is not None][:PICTURES]
    pictures = folder / "pictures"
    pictures.mkdir(exist_ok=True)
    shown = []
    for pair in named:
        path = pictures / f"{pair.key.replace('/', '-')}.png"
        _save(pair.picture.load(), path)
        [guesses] = classifier.classify([path], top=3)
        shown.append(Shown(path, str(pair.label), pair.captions[0], guesses))
    return Demo(run, encoder, report, folder / "report" / "report.html", len(test.labels), shown)


def _save(image: Image.Image, path: Path) -> None:
    content = io.BytesIO()
    image.save(content, format="PNG")
    write_atomically(path, content.getvalue())
