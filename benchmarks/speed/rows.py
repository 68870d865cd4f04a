"""What runs came to: a line of JSON for each, appended as soon as it is known; from them a table and a plot."""

import json
import os
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lexel.errors import UsageError
from speed.measures import Measured

OVERRUN = 0.1  # share of the budget by which a run may miss it before the table marks it


@dataclass(frozen=True)
class Point:
    """How good a model was at one moment of its run."""

    seconds: float  # of a processor, spent in steps
    steps: int
    samples: int
    measures: dict[str, Measured]


@dataclass(frozen=True)
class Row:
    """One run."""

    contestant: str
    data: str
    sets: str  # reported or choosing
    seed: int
    minutes: float  # the budget
    settings: dict[str, Any]  # what the run was asked for
    machine: dict[str, str]
    points: list[Point]  # the last is the end

    @property
    def off_budget(self) -> bool:
        return abs(self.points[-1].seconds / (60 * self.minutes) - 1) > OVERRUN


def append(path: Path, row: Row) -> None:
    """Add a row whole or not at all: one write of one line."""
    line = json.dumps(asdict(row), ensure_ascii=False) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(paths: Iterable[Path]) -> list[Row]:
    """All rows of these files. Raises UsageError where there is no such file or it holds something else."""
    rows: list[Row] = []
    for path in paths:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            rows += [_row(json.loads(line)) for line in lines if line]
        except FileNotFoundError:
            raise UsageError(f"There is no {path}. Rows come out of: python benchmarks/speed_run.py run …") from None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UsageError(f"{path} has a line that is no row of a speed run: {error}") from error
    return rows


def _row(content: dict[str, Any]) -> Row:
    points = [
        Point(**point | {"measures": {name: Measured(**number) for name, number in point["measures"].items()}})
        for point in content.pop("points")
    ]
    return Row(**content, points=points)


def table(rows: Sequence[Row]) -> str:
    """The end of each contestant's runs: mean over seeds ± standard deviation, or one run's 95 % interval."""
    groups: defaultdict[tuple[str, str, float], defaultdict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        groups[row.data, row.sets, row.minutes][row.contestant].append(row)
    lines: list[str] = []
    for (data, sets, minutes), contestants in sorted(groups.items()):
        names = list(next(iter(contestants.values()))[0].points[-1].measures)
        chance = [next(iter(contestants.values()))[0].points[-1].measures[name].chance for name in names]
        lines += [f"{data}, {minutes:g} minutes of one core, {sets} sets", ""]
        lines += [_line(["contestant", "seeds", "seconds", "samples", *names]), _line(["---"] * (4 + len(names)))]
        for contestant, runs in contestants.items():
            ends = [run.points[-1] for run in runs]
            star = "*" if any(run.off_budget for run in runs) else ""
            lines.append(
                _line(
                    [
                        contestant,
                        str(len(runs)),
                        f"{statistics.mean(end.seconds for end in ends):.0f}{star}",
                        f"{statistics.mean(end.samples for end in ends):,.0f}",
                        *(_cell([end.measures[name] for end in ends]) for name in names),
                    ]
                )
            )
        lines += [_line(["chance", "", "", "", *(f"{value:.1f}" for value in chance)]), ""]
    if any(row.off_budget for row in rows):
        lines.append(f"* more than {OVERRUN:.0%} off the budget: the machine was slower or quicker than in the pilot.")
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(numbers: Sequence[Measured]) -> str:
    if len(numbers) == 1:
        return f"{numbers[0].value:.1f} ({numbers[0].low:.1f} to {numbers[0].high:.1f})"
    values = [number.value for number in numbers]
    return f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}"


def plot(rows: Sequence[Row], path: Path) -> None:
    """Quality against processor seconds, a panel for each measure, a line for each run, as PNG or SVG."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D

    names = list(dict.fromkeys(name for row in rows for name in row.points[-1].measures))
    columns = min(4, len(names))
    lines = -(-len(names) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(3.4 * columns, 2.8 * lines), squeeze=False)
    contestants = list(dict.fromkeys(row.contestant for row in rows))
    colours = {contestant: f"C{number % 10}" for number, contestant in enumerate(contestants)}
    for axis, name in zip(axes.flat, names, strict=False):
        for row in rows:
            known = [(point.seconds / 60, point.measures[name].value) for point in row.points if name in point.measures]
            if known:
                axis.plot(*zip(*known, strict=True), ".-", color=colours[row.contestant], linewidth=1.2)
        axis.set_title(name, fontsize=9)
        axis.set_ylim(bottom=0)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.3)
    for axis in list(axes.flat)[len(names) :]:
        axis.set_visible(False)
    for axis in axes[-1]:
        axis.set_xlabel("minutes of one core", fontsize=8)
    for axis in axes[:, 0]:
        axis.set_ylabel("per cent", fontsize=8)
    handles = [Line2D([], [], color=colours[contestant], label=contestant) for contestant in contestants]
    figure.legend(handles=handles, loc="lower center", ncols=min(3, len(handles)), fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.03 + 0.03 * -(-len(handles) // 3), 1, 1))
    figure.savefig(path, dpi=130)
