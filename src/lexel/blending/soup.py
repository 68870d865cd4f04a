"""Several fine-tuned models as one (model soups, Wortsman et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from lexel.blending.curve import Measuring
from lexel.blending.ingredients import Ingredient
from lexel.blending.mixture import Mixture
from lexel.progress import say

SoupKind = Literal["greedy", "uniform"]


def soup_of(models: Sequence[Ingredient], kind: SoupKind, measuring: Measuring) -> Mixture:
    """The mean of all models or, of a greedy soup, of those that make it no worse on the own data: from the best model
    on, each is tried in turn."""
    if kind == "uniform" or len(models) == 1:
        return Mixture.equal(models)
    scores = {}
    for model in models:
        scores[model.name] = measuring.measure(Mixture.equal([model]), [measuring.own])[0].metric.value
        say(f"{model.name}: {100 * scores[model.name]:.1f} % on {measuring.own.name}")
    ordered = sorted(models, key=lambda model: -scores[model.name])
    taken, best = ordered[:1], scores[ordered[0].name]
    for model in ordered[1:]:
        value = measuring.measure(Mixture.equal([*taken, model]), [measuring.own])[0].metric.value
        better = value >= best
        say(f"{'With' if better else 'Without'} {model.name}, which makes it {100 * value:.1f} %")
        if better:
            taken, best = [*taken, model], value
    return Mixture.equal(taken)
