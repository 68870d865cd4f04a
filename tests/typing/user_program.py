"""What a user writes, checked by mypy: Lexel's types must be seen from outside, and be those that are promised.

It is not run; the names of the files stand for the user's own.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import lexel


def embed(model: str, folder: Path) -> NDArray[np.float32]:
    encoder: lexel.Encoder = lexel.load(model)
    images = encoder.embed_images(sorted(folder.glob("*.jpg")))
    texts = encoder.embed_texts(["a red bicycle", "a blue bicycle"])
    scores: NDArray[np.float32] = images @ texts.T
    return scores


def name(model: str, picture: Path) -> str:
    classifier = lexel.ZeroShotClassifier(lexel.load(model), ["cat", "dog"])
    names: list[str] = [label for label, _ in classifier.classify([picture])[0]]
    return names[0]


def find(library: Path, words: str) -> list[str]:
    with lexel.Library.open(library) as photos:
        return [hit.photo.path for hit in photos.search(words)]


def measure(model: str, source: str) -> str:
    report: lexel.Report = lexel.evaluate(lexel.load(model), source)
    return report.model


def learn(recipe: Path, folder: Path) -> Path:
    try:
        run: lexel.Run = lexel.train(lexel.Recipe.load(recipe), folder)
    except lexel.LexelError as error:
        raise SystemExit(str(error)) from error
    return run.model
