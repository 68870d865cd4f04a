"""What is remembered beside the training data: pictures of another source, whose embeddings are to stay as they were.

They need neither captions nor labels; where they have some, the texts are remembered too.
"""

from dataclasses import dataclass

from lexel.data.captions import says_something
from lexel.data.loader import TrainingSource
from lexel.data.order import Order
from lexel.evaluation.texts.templates import templates
from lexel.training.inputs.input_reader import InputReader
from lexel.training.inputs.training_data import fingerprint_of
from lexel.training.recipe import Recipe


@dataclass(frozen=True)
class RememberedData:
    """The pairs of the source that a recipe remembers on."""

    sources: tuple[TrainingSource, ...]
    fingerprint: str  # of keys, captions and labels


@dataclass(frozen=True)
class Remembered:
    """Those pairs, and the order in which they come."""

    data: RememberedData
    order: Order

    def sides(self, learning: tuple[str, ...]) -> tuple[str, ...]:
        """Which of the towers that learn have something to remember here."""
        speaks = any(says_something(pair) for source in self.data.sources for pair in source.pairs)
        return tuple(side for side in learning if side == "image" or speaks)


def read_remembered(recipe: Recipe, reader: InputReader) -> RememberedData | None:
    """Read the source that the recipe remembers on, if there is one. Raises UsageError or DataError."""
    if recipe.adapt is None or recipe.adapt.remember_on is None:
        return None
    source = reader.other_source(recipe.adapt.remember_on, "adapt.remember_on", recipe.data)
    sources = (TrainingSource(source.pairs, 1.0, templates(recipe.data.templates)),)
    return RememberedData(sources, fingerprint_of(source.pairs))
