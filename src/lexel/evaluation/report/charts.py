"""Lines over a common axis, laid out for SVG: where ticks, points and bands go. The template draws them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from lexel.evaluation.report.sections import Chart, Line

WIDTH, HEIGHT = 620, 300  # pixels of the plot, without its margins
NAME_HEIGHT = 15  # pixels
TICKS = 5  # about as many on an axis


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis and what stands beside it."""

    at: float  # pixels
    text: str


@dataclass(frozen=True, slots=True)
class DrawnLine:
    """A line of the chart in pixels; `points` and `band` are the attribute of an SVG polyline and polygon."""

    name: str
    points: str
    band: str
    marks: list[tuple[float, float]]
    titles: list[str]
    name_at: float  # height of its name at the right


@dataclass(frozen=True, slots=True)
class ReferenceLine:
    """A horizontal line and its name, which may stand a little off it to leave room for others."""

    at: float
    name: str
    name_at: float


@dataclass(frozen=True, slots=True)
class ChartView:
    """What the template needs to draw a chart."""

    width: int
    height: int
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[DrawnLine]
    references: list[ReferenceLine]
    diagonal: bool


@dataclass(frozen=True, slots=True)
class _Axis:
    low: float
    high: float
    length: int  # pixels
    upwards: bool = False
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (math.log2(v) if self.logarithmic else v for v in (self.low, self.high, value))
        share = (at - low) / ((high - low) or 1)
        return round(self.length * (1 - share if self.upwards else share), 1)


def draw_chart(chart: Chart) -> ChartView:
    """Lay out the chart. A logarithmic axis has a tick for each x there is; with a diagonal both axes are 0 to 1."""
    xs = [x for line in chart.lines for x in line.x] or [0.0, 1.0]
    ys = [y for line in chart.lines for y in (*line.y, *line.low, *line.high)] + [y for _, y in chart.references]
    x_ticks = sorted(set(xs)) if chart.log_x else _round_values(min(xs), max(xs))
    y_ticks = _round_values(min([0.0, *ys]), max([0.0, *ys]))
    if chart.diagonal:
        x_ticks = y_ticks = _round_values(0.0, 1.0)
    across = _Axis(min(x_ticks), max(x_ticks), WIDTH, logarithmic=chart.log_x)
    up = _Axis(y_ticks[0], y_ticks[-1], HEIGHT, upwards=True)
    ends = [up(line.y[-1]) for line in chart.lines] + [up(y) for _, y in chart.references]
    name_at = _apart(ends)
    references = zip(chart.references, name_at[len(chart.lines) :], strict=True)
    return ChartView(
        width=WIDTH,
        height=HEIGHT,
        x_ticks=[Tick(across(x), f"{x:g}") for x in x_ticks],
        y_ticks=[Tick(up(y), f"{y:g}") for y in y_ticks],
        lines=[_drawn(line, across, up, at) for line, at in zip(chart.lines, name_at, strict=False)],
        references=[ReferenceLine(up(y), name, at) for (name, y), at in references],
        diagonal=chart.diagonal,
    )


def _drawn(line: Line, across: _Axis, up: _Axis, name_at: float) -> DrawnLine:
    marks = [(across(x), up(y)) for x, y in zip(line.x, line.y, strict=True)]
    edges = [(across(x), up(y)) for x, y in zip(line.x, line.low, strict=False)]
    edges += [(across(x), up(y)) for x, y in zip(reversed(line.x), reversed(line.high), strict=False)]
    titles = [f"{line.name}: {x:g}, {y:.3g}" for x, y in zip(line.x, line.y, strict=True)]
    return DrawnLine(line.name, _attribute(marks), _attribute(edges), marks, titles, name_at)


def _apart(heights: Sequence[float]) -> list[float]:
    """The heights moved just so far that names beside them do not overlap, in the same order from top to bottom."""
    found = list(heights)
    order = sorted(range(len(found)), key=lambda i: found[i])
    for above, below in pairwise(order):
        found[below] = max(found[below], found[above] + NAME_HEIGHT)
    excess = max([found[i] for i in order], default=0) - HEIGHT
    if excess > 0:  # pushed below the plot: move up from the bottom
        limit = float(HEIGHT)
        for i in reversed(order):
            found[i] = min(found[i], limit)
            limit = found[i] - NAME_HEIGHT
    return [round(height, 1) for height in found]


def _attribute(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)


def _round_values(low: float, high: float) -> list[float]:
    """About TICKS round numbers that span low..high."""
    if high <= low:
        high = low + 1
    rough = (high - low) / TICKS
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]
