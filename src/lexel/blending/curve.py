"""Own data and guards over the mixing weight (WiSE-FT, Wortsman et al. 2022), and the weight to take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from lexel.blending.ingredients import Ingredient
from lexel.blending.mixture import Mixture
from lexel.data.pairs import Source
from lexel.evaluation.comparison.compare import Verdict, paired_difference, verdict
from lexel.evaluation.score import SourceScore, measure_score
from lexel.loading import load
from lexel.progress import track

POINTS = 11  # from the start to the end, both among them


@dataclass(frozen=True, slots=True)
class Measuring:
    """What mixtures are measured on, and where they are written for that."""

    own: Source
    guards: tuple[Source, ...]
    templates: str | Sequence[str]
    scratch: Path

    def measure(self, mixture: Mixture, sources: Sequence[Source]) -> list[SourceScore]:
        """The scores of a mixture on the sources."""
        with TemporaryDirectory(prefix="mixture-", dir=self.scratch) as folder:
            path = Path(folder) / "model"
            mixture.write(path, "mixture", "")
            encoder = load(path)
            return [measure_score(encoder, source, self.templates) for source in sources]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One mixture, measured."""

    weight: float  # of the end; the start has the rest
    own: SourceScore
    guards: tuple[SourceScore, ...]

    def losses(self, start: CurvePoint) -> list[float]:
        """Points lost on each guard since the start; negative where they were won."""
        return [before.points - after.points for before, after in zip(start.guards, self.guards, strict=True)]


def measure_curve(start: Ingredient, end: Mixture, measuring: Measuring) -> list[CurvePoint]:
    """The mixtures of start and end, from weight 0 to weight 1."""
    found = []
    for number in track(range(POINTS), "Measuring mixtures", POINTS):
        weight = number / (POINTS - 1)
        own, *guards = measuring.measure(Mixture.between(start, end, weight), [measuring.own, *measuring.guards])
        found.append(CurvePoint(weight, own, tuple(guards)))
    return found


def choose_point(curve: Sequence[CurvePoint], most_lost: float) -> CurvePoint:
    """The best on the own data among those that lose at most so many points on every guard; of equals the nearest to
    the start, which is always among them."""
    allowed = [point for point in curve if all(lost <= most_lost + 1e-9 for lost in point.losses(curve[0]))]
    return max(allowed, key=lambda point: (point.own.metric.value, -point.weight))


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """A score before and after, on the same examples."""

    before: SourceScore
    after: SourceScore
    difference: float
    interval: tuple[float, float]  # 95 %, of the paired difference
    verdict: Verdict  # of after


def score_change(before: SourceScore, after: SourceScore) -> ScoreChange:
    """The paired comparison of two scores of one source."""
    gap, interval, p_value, _ = paired_difference(before.outcome, after.outcome)
    return ScoreChange(before, after, gap, interval, verdict(gap, interval, p_value))
