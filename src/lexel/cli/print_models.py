"""How architectures, checkpoints and calibrations look on standard output."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lexel.terminal import counted

if TYPE_CHECKING:
    from lexel.architectures.cost import ArchitectureCost
    from lexel.blending.blend import Blend
    from lexel.calibration import Calibration
    from lexel.checkpoints.hub.locate import PretrainedRow


def print_architectures(costs: "Mapping[str, ArchitectureCost]") -> None:
    """A line for each architecture."""
    print(f"{'name':<34}{'parameters':>14}{'image':>10}{'caption':>10}")
    print(f"{'':<34}{'(millions)':>14}{'GFLOPs':>10}{'GFLOPs':>10}")
    for name, cost in costs.items():
        towers = cost.parameters_image, cost.parameters_text
        millions = None if None in towers else sum(count or 0 for count in towers) / 1e6
        cells = f"{_number(millions):>14}{_number(cost.gflops_image):>10}{_number(cost.gflops_text):>10}"
        print(f"{name:<34}{cells}")


def print_pretrained(rows: "Sequence[PretrainedRow]") -> None:
    """A line for each published checkpoint."""
    print(f"{'name':<62}{'activation':<20}{'needs':<8}here")
    for row in rows:
        here = f"{row.size / 1e6:,.0f} MB" if row.size else ""
        print(f"{row.name:<62}{row.activation:<20}{' '.join(row.extras):<8}{here}".rstrip())


def print_calibration(calibration: "Calibration") -> None:
    """What a match is worth, as the cosines from which it is called so."""
    from lexel.calibration import POSSIBLE, STRONG

    print(f"strong    from cosine {calibration.cosine(STRONG):.3f} (probability {STRONG:.0%})")
    print(f"possible  from cosine {calibration.cosine(POSSIBLE):.3f} (probability {POSSIBLE:.0%})")
    print(
        f"Fitted on {counted(calibration.pairs, 'pair')} of {calibration.source}; on pairs left out of the fit the "
        f"probability is off by {calibration.expected_calibration_error:.1%} on average."
    )


def _number(value: float | None) -> str:
    """Two decimals; a dash for what only another library knows."""
    return "–" if value is None else f"{value:,.2f}"


def print_blend(blend: "Blend") -> None:
    """The curve, a line for each mixture, what was taken, and what it changed."""
    from lexel.evaluation.report.phrases import interval, percent

    first = blend.curve[0]
    names = [score.source for score in (first.own, *first.guards)]
    print("share   " + "  ".join(f"{name:<24}" for name in names))
    for point in blend.curve:
        cells = [f"{percent(s.metric.value)} ({interval(s.metric)})" for s in (point.own, *point.guards)]
        star = "  taken" if point is blend.chosen else ""
        print((f"{point.weight:<8.1f}" + "  ".join(f"{cell:<24}" for cell in cells) + star).rstrip())
    for change in blend.changes:
        low, high = (100 * end for end in change.interval)
        gap = f"{100 * change.difference:+.1f} points ({low:+.1f} to {high:+.1f})"
        print(f"{change.before.source}: {gap}, {change.verdict}")
    print(f"Model  {blend.model}\nCurve  {blend.model / 'blend.png'}")
