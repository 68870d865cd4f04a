"""The curves of a run: loss, accuracy within the batch, and what was measured on held-out pairs.

`draw_curves` makes one picture of them, `curve_blocks` the charts of the report's page.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lexel.evaluation.report.phrases import metric_in_words
from lexel.evaluation.report.sections import Block, Chart, Line, Paragraph
from lexel.files import write_atomically

MAX_LANGUAGE_CURVES = 10  # more would hide each other
CHART_POINTS = 100  # of a line on the page, at most


def draw_curves(lines: Sequence[dict[str, Any]], path: Path, title: str) -> None:
    """Draw the lines of a run's log into a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 3.4), layout="constrained")
    loss, accuracy, measured = figure.subplots(1, 3)
    figure.suptitle(title)
    steps = [line for line in lines if "loss" in line]
    _curve(loss, steps, "loss")
    of_accuracy = [line for line in steps if "accuracy" in line]  # an objective may measure none within the batch
    if of_accuracy:
        _curve(accuracy, of_accuracy, "accuracy", percent=True)
    held_out = _measured(lines, "loss")
    if held_out:
        loss.plot(*zip(*held_out, strict=True), marker="o", markersize=3, label="held-out pairs")
        loss.lines[1].set_label("training")
        loss.legend(handles=loss.lines[1:], fontsize="small", frameon=False)
    loss.set_title("loss")
    accuracy.set_title("accuracy within the batch, %")
    measured.set_title("held-out pairs, %")
    for name in _shown(lines):
        points = [(step, 100 * value) for step, value in _measured(lines, name)]
        measured.plot(*zip(*points, strict=True), marker="o", markersize=3, label=metric_in_words(name))
    if measured.lines:
        measured.legend(fontsize="small", frameon=False, loc="upper left", bbox_to_anchor=(1.02, 1))
        measured.set_ylim(bottom=0)
    if not of_accuracy:
        accuracy.remove()
    for axes in (loss, accuracy, measured) if of_accuracy else (loss, measured):
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    write_atomically(path, picture.getvalue())


def curve_blocks(lines: Sequence[dict[str, Any]], advice: str | None = None) -> list[Block]:
    """The curves as charts for the report's page, below the `advice` that they gave rise to, if any."""
    blocks: list[Block] = [Paragraph(text=advice)] if advice else []
    held_out = _measured(lines, "loss")
    losses = [_line("training", _smooth(lines))] + ([_line("held-out pairs", held_out)] if held_out else [])
    if any(line.x for line in losses):
        blocks.append(
            Chart(
                title="Loss",
                explanation="Of the training's batches, averaged over neighbouring steps, and of held-out pairs. Where "
                "the second rises while the first falls, the model learns its pairs by heart.",
                x_label="step",
                y_label="loss",
                lines=[line for line in losses if line.x],
            )
        )
    shares = [
        _line(metric_in_words(name), [(step, 100 * value) for step, value in _measured(lines, name)])
        for name in _shown(lines)
    ]
    if shares:
        blocks.append(Chart(title="Held-out pairs", explanation="", x_label="step", y_label="right, %", lines=shares))
    return blocks


def _line(name: str, points: Sequence[tuple[int, float]]) -> Line:
    return Line(name=name, x=[step for step, _ in points], y=[value for _, value in points])


def _smooth(lines: Sequence[dict[str, Any]]) -> list[tuple[int, float]]:
    """The training loss as CHART_POINTS means over neighbouring steps, or fewer: (last step of them, loss)."""
    steps = [(line["step"] + 1, line["loss"]) for line in lines if line.get("loss") is not None]
    parts = np.array_split(np.array(steps, dtype=float), min(CHART_POINTS, len(steps))) if steps else []
    return [(int(part[-1, 0]), float(part[:, 1].mean())) for part in parts]


def _measured(lines: Sequence[dict[str, Any]], name: str) -> list[tuple[int, float]]:
    """(step, value) of one number of the evaluations, steps counted from 1; without those that are not finite."""
    found = [(line["step"] + 1, line["evaluation"].get(name)) for line in lines if "evaluation" in line]
    return [(step, value) for step, value in found if value is not None]


def _curve(axes: Any, steps: Sequence[dict[str, Any]], name: str, percent: bool = False) -> None:
    """Every step faintly, and a running mean over a fiftieth of the run."""
    unit = 100 if percent else 1
    values = np.array([np.nan if line[name] is None else unit * line[name] for line in steps])
    at = np.array([line["step"] + 1 for line in steps])
    window = max(1, len(values) // 50)
    smooth = np.convolve(np.nan_to_num(values), np.ones(window) / window, mode="valid")
    axes.plot(at, values, alpha=0.25, linewidth=0.8)
    axes.plot(at[window - 1 :], smooth, color=axes.lines[0].get_color(), linewidth=1.5)


def _shown(lines: Sequence[dict[str, Any]]) -> list[str]:
    """The names of the shares that are worth a curve."""
    names = list(dict.fromkeys(name for line in lines for name in line.get("evaluation", ())))
    if any(name.startswith("languages/") for name in names):  # one of each language
        return [name for name in names if name.endswith("text_to_image/recall@10")][:MAX_LANGUAGE_CURVES]
    return [name for name in names if name.endswith(("recall@1", "recall@10", "top1", "top5"))]
