"""The curve of a blend as a picture: own data against each guard, with 95 % intervals."""

from __future__ import annotations

import io
from collections.abc import Sequence

from lexel.blending.curve import CurvePoint
from lexel.evaluation.score import SourceScore
from lexel.extras import missing_library


def draw_curve(curve: Sequence[CurvePoint], chosen: CurvePoint, most_lost: float) -> bytes:
    """A PNG. Without guards the own data are drawn over the mixing weight."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing_library("Drawing the curve", "matplotlib", error) from None
    guards = len(curve[0].guards)
    figure = Figure(figsize=(5.4 * max(1, guards), 4.2), layout="constrained")
    panels = figure.subplots(1, max(1, guards), squeeze=False)[0]
    own = [point.own for point in curve]
    place = curve.index(chosen)
    for number, axes in enumerate(panels):
        if guards:
            across = [point.guards[number] for point in curve]
            x = [score.points for score in across]
            axes.set_xlabel(f"{across[0].source}: {across[0].name}, %")
            axes.axvspan(x[0] - most_lost, max([*x, x[0]]) + 1, color="tab:green", alpha=0.08)
            spread = _spread(across)
        else:
            x, spread = [100 * point.weight for point in curve], None
            axes.set_xlabel("share of what was learned, %")
        y = [score.points for score in own]
        axes.errorbar(x, y, yerr=_spread(own), xerr=spread, marker="o", markersize=4, linewidth=1, elinewidth=0.5)
        axes.plot(x[place], y[place], marker="*", markersize=15, color="tab:red", linestyle="none")
        for at in (0, place, len(curve) - 1):
            axes.annotate(f"{curve[at].weight:.1f}", (x[at], y[at]), xytext=(6, 6), textcoords="offset points")
        axes.set_ylabel(f"{own[0].source}: {own[0].name}, %")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(
        "From the starting model (0) to the tuned one (1); the star is chosen, green is allowed", fontsize=9
    )
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    return picture.getvalue()


def _spread(scores: Sequence[SourceScore]) -> list[list[float]]:
    """The lengths of the intervals below and above, in points."""
    return [
        [max(0.0, 100 * (score.metric.value - score.metric.low)) for score in scores],
        [max(0.0, 100 * (score.metric.high - score.metric.value)) for score in scores],
    ]
