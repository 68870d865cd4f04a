"""`lexel train SOURCE`: a recipe for whoever has pictures and no recipe, chosen by how many there are."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lexel.data.readers import read_source
from lexel.errors import UsageError
from lexel.training.inputs.starting_weights import read_given
from lexel.training.recipe import ModelSettings, Recipe
from lexel.training.run.folder import RECIPE

# Up to this many pairs: architecture, batch size, epochs. Small data wants a small model, small batches and many
# epochs; the lengths keep two cores busy for minutes, not hours, up to about fifty thousand pairs.
BY_SIZE: tuple[tuple[float, str, int, float], ...] = (
    (1_000, "lexel-s", 32, 40),
    (10_000, "lexel-s", 128, 25),
    (100_000, "lexel-s", 256, 10),
    (1_000_000, "lexel-m", 512, 10),
    (float("inf"), "ViT-B-32", 1024, 10),
)
# Where a model is fine-tuned: epochs at most, and the learning rate up to this many parameters. Large towers know much
# that a high rate would wipe out; small ones have more to learn than to lose (docs/experiments.md).
FINE_TUNING_EPOCHS = 10
FINE_TUNING_RATES: tuple[tuple[float, float], ...] = ((30e6, 3e-4), (float("inf"), 1e-5))


def default_recipe(source: str, changes: Sequence[str] = ()) -> Recipe:
    """A sensible recipe for `source`, after the `path.to.field=value` changes, which may name weights to begin from.

    Raises UsageError, DataError or ModelError.
    """
    if (Path(source) / RECIPE).is_file():
        raise UsageError(
            f"{source} is the folder of a run, not a source of pictures.\n"
            f"That run goes on with: lexel train {Path(source) / RECIPE} --output {source}"
        )
    content: dict[str, Any] = {"name": _name(source), "data": {"sources": [{"source": source}]}}
    known = _before_counting(content, changes)
    columns = known.data
    pairs = len(
        read_source(source, prefer=("train",), caption=columns.caption, label=columns.label, image=columns.image).pairs
    )
    architecture, batch_size, epochs = next(chosen for limit, *chosen in BY_SIZE if pairs <= limit)
    content |= {"batch_size": min(batch_size, max(2, pairs // 2)), "epochs": epochs}
    if known.model.image_from and known.model.text_from:
        content |= {"epochs": min(epochs, FINE_TUNING_EPOCHS)} | _fine_tuning(known.model)
    else:
        content["model"] = {"architecture": architecture}
    return Recipe.build(content, changes, where=source)


def _before_counting(content: dict[str, Any], changes: Sequence[str]) -> Recipe:
    """The recipe with the changes as far as it is known now: with the first architecture that takes them.

    Raises UsageError when none does.
    """
    refusals: list[UsageError] = []
    for architecture in (None, *dict.fromkeys(name for _, name, *_ in BY_SIZE)):  # None: as given weights want it
        try:
            return Recipe.build(content | {"steps": 1, "model": {"architecture": architecture}}, changes)
        except UsageError as refusal:
            refusals.append(refusal)
    raise refusals[0]


def _fine_tuning(settings: ModelSettings) -> dict[str, Any]:
    """The learning rate that its size wants, and the loss that it was trained with."""
    weights = read_given(settings).weights()
    parameters = sum(array.size for array in weights.values())
    rate = next(rate for limit, rate in FINE_TUNING_RATES if parameters <= limit)
    return {
        "optimizer": {"learning_rate": rate},
        "loss": {"kind": "sigmoid" if "logit_bias" in weights else "softmax"},
    }


def _name(source: str) -> str:
    """A name for the run: the last part of the source that says something."""
    words = [re.sub(r"[^\w.-]+", "-", part).strip("-.") for part in source.replace(":", "-").split("/")]
    telling = [word for word in words if word and word not in {"train", "images", "data"}]
    return Path(telling[-1]).stem if telling else "run"
