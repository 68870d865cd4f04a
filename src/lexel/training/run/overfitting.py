"""Whether a run has begun to learn its pairs by heart, read off its log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lexel.training.recipe import Recipe

MIN_RISE = 0.05  # of the held-out loss above its lowest, as a share: less is noise
AVERAGED_STEPS = 20  # of the training loss
FEW_PAIRS = 100_000  # of which a model that begins with random weights learns little that is general


@dataclass(frozen=True, slots=True)
class Overfitting:
    """The held-out loss rose after step `lowest_step` while the training loss went on falling."""

    lowest_step: int
    held_out: tuple[float, float]  # loss at its lowest, and at the end
    training: tuple[float, float]  # loss at the same moments


def find_overfitting(lines: Sequence[dict[str, Any]]) -> Overfitting | None:
    """Read off the lines of a log; None where the held-out loss is lowest at the end, or nearly."""
    measured = [
        (line["step"], line["evaluation"]["loss"])
        for line in lines
        if line.get("evaluation", {}).get("loss") is not None
    ]
    if len(measured) < 2:
        return None
    lowest_step, lowest = min(measured, key=lambda point: point[1])
    last_step, last = measured[-1]
    before, after = _training_loss(lines, lowest_step), _training_loss(lines, last_step)
    if last <= lowest * (1 + MIN_RISE) or not after < before:
        return None
    return Overfitting(lowest_step + 1, (lowest, last), (before, after))


def overfitting_advice(found: Overfitting, recipe: Recipe, pairs: int) -> str:
    """Two or three sentences for people: what happened, and what to do."""
    said = (
        f"The loss on held-out pairs was lowest after step {found.lowest_step:,} ({found.held_out[0]:.2f}) and then "
        f"rose to {found.held_out[1]:.2f}, while the training loss fell from {found.training[0]:.2f} to "
        f"{found.training[1]:.2f}: the model has begun to learn its {pairs:,} pairs by heart. "
        f"Train it for fewer steps (--steps {found.lowest_step})"
    )
    if recipe.model.image_from or recipe.model.text_from:
        return f"{said} or at a lower rate (--set optimizer.learning_rate=…), or freeze a tower."
    if pairs <= FEW_PAIRS:
        return f"{said}. So few pairs teach more to a model that knows much already: --from ViT-B-32/openai."
    return f"{said}, or on more pairs."


def _training_loss(lines: Sequence[dict[str, Any]], step: int) -> float:
    """Of the steps up to `step`, averaged over the last ones."""
    losses = [line["loss"] for line in lines if line.get("loss") is not None and line["step"] <= step]
    return float(np.mean(losses[-AVERAGED_STEPS:])) if losses else float("nan")
