"""A model between a start and what was learned from it: measured at each step of the way, chosen, and written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lexel.blending.chart import draw_curve
from lexel.blending.curve import CurvePoint, Measuring, ScoreChange, choose_point, measure_curve, score_change
from lexel.blending.ingredients import check_same_kind, learned_from, open_ingredient
from lexel.blending.mixture import Mixture
from lexel.blending.soup import SoupKind, soup_of
from lexel.data.pairs import Source
from lexel.errors import UsageError
from lexel.files import is_replaceable, make_folder
from lexel.progress import say

CURVE, PICTURE = "blend.json", "blend.png"


@dataclass(frozen=True, slots=True)
class Blend:
    """A finished blend."""

    model: Path
    curve: list[CurvePoint]
    chosen: CurvePoint
    changes: list[ScoreChange]  # on the own data and on each guard, from the start to the chosen model
    shares: dict[str, float]  # of each model in the chosen one
    warnings: list[str]  # why the curve may not be believed

    def facts(self) -> dict[str, Any]:
        """For programs; also what `blend.json` in the model folder says."""
        return {
            "weight": self.chosen.weight,
            "shares": self.shares,
            "warnings": self.warnings,
            "curve": [
                {
                    "weight": point.weight,
                    **{
                        score.source: {"measured": score.name}
                        | score.metric.model_dump(include={"value", "low", "high"})
                        for score in (point.own, *point.guards)
                    },
                }
                for point in self.curve
            ],
            "changes": [
                {
                    "source": change.before.source,
                    "before": change.before.metric.value,
                    "after": change.after.metric.value,
                    "difference": change.difference,
                    "interval": change.interval,
                    "verdict": change.verdict,
                }
                for change in self.changes
            ],
        }


def blend(
    start: str | Path,
    tuned: Sequence[str | Path],
    out: str | Path,
    *,
    own: Source,
    guards: Sequence[Source] = (),
    most_lost: float = 1.0,
    soup: SoupKind = "greedy",
    templates: str | Sequence[str] = "photo",
) -> Blend:
    """Mix `start` with what was fine-tuned from it and write the best mixture as the model folder `out`.

    Of POINTS mixtures the best on the `own` source is taken among those that lose at most `most_lost` points on each
    of the `guards`. Several tuned models first become one (`soup`). Raises UsageError where the models are not of one
    kind, naming what differs.

    Example:
        blend("ViT-B-32/openai", ["runs/shop/model"], "shop-both", own=read_source("shop/test"),
              guards=[read_source("everyday/test")])
    """
    out = Path(out)
    if not tuned:
        raise UsageError(
            "There is nothing to mix: give the starting model, then one or more models fine-tuned from it."
        )
    _check_free(out, [start, *tuned])
    make_folder(out.parent)
    with TemporaryDirectory(prefix=".blend-", dir=out.parent) as folder:
        scratch = Path(folder)
        first, *others = [
            open_ingredient(str(model), scratch / f"converted-{number}") for number, model in enumerate([start, *tuned])
        ]
        check_same_kind(first, others)
        warnings = learned_from(others, own)
        for warning in warnings:
            say(warning)
        measuring = Measuring(own, tuple(guards), templates, scratch)
        end = soup_of(others, soup, measuring)
        curve = measure_curve(first, end, measuring)
        chosen = choose_point(curve, most_lost)
        mixture = Mixture.between(first, end, chosen.weight)
        scores = zip((curve[0].own, *curve[0].guards), (chosen.own, *chosen.guards), strict=True)
        found = Blend(
            model=out,
            curve=curve,
            chosen=chosen,
            changes=[score_change(before, after) for before, after in scores],
            shares={model.name: share for model, share in mixture.parts if share},
            warnings=warnings,
        )
        beside = {
            CURVE: (json.dumps(found.facts(), indent=2, ensure_ascii=False) + "\n").encode(),
            PICTURE: draw_curve(curve, chosen, most_lost),
        }
        mixture.write(out, out.name, _card(found), beside)
    return found


def _check_free(out: Path, models: Sequence[str | Path]) -> None:
    """Raises UsageError unless `out` may be written: it is new, empty, or an earlier blend that is none of `models`."""
    if not is_replaceable(out, CURVE):
        raise UsageError(f"{out} is there already and is no blend. Give another --output.")
    if any(out.exists() and Path(model).exists() and out.samefile(model) for model in models):
        raise UsageError(f"{out} is one of the models that are mixed. Give another --output.")


def _card(found: Blend) -> str:
    parts = "\n".join(f"- {share:.0%} `{name}`" for name, share in found.shares.items())
    rows = "\n".join(
        f"| {change.before.source} | {change.before.name} | {change.before.points:.1f} % | {change.after.points:.1f} % "
        f"| {100 * change.difference:+.1f} ({100 * change.interval[0]:+.1f} to {100 * change.interval[1]:+.1f}) "
        f"| {change.verdict} |"
        for change in found.changes
    )
    warnings = "".join(f"{warning}\n\n" for warning in found.warnings)
    return f"""# {found.model.name}

The weighted mean of models, made by Lexel:

{parts}

| source | measured | start | this model | points (95 %) | verdict |
|---|---|---|---|---|---|
{rows}

{warnings}The weight was chosen on these sources, so expect slightly lower scores on new data.

![own data against guards over the mixing weight]({PICTURE})
"""
