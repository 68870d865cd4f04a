"""A run in one picture: loss, accuracy within the batch, and what was measured on held-out pairs."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lexel.evaluation.phrases import metric_in_words
from lexel.files import write_atomically


def draw_curves(lines: Sequence[dict[str, Any]], path: Path, title: str) -> None:
    """Draw the lines of a run's log into a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 3.4), layout="constrained")
    loss, accuracy, measured = figure.subplots(1, 3)
    figure.suptitle(title)
    steps = [line for line in lines if "loss" in line]
    _curve(loss, steps, "loss")
    _curve(accuracy, steps, "accuracy", percent=True)
    loss.set_title("training loss")
    accuracy.set_title("accuracy within the batch, %")
    measured.set_title("held-out pairs, %")
    for name in _shown([line for line in lines if "evaluation" in line]):
        points = [
            (line["step"] + 1, 100 * line["evaluation"][name]) for line in lines if name in line.get("evaluation", {})
        ]
        measured.plot(*zip(*points, strict=True), marker="o", markersize=3, label=metric_in_words(name))
    if measured.lines:
        measured.legend(fontsize="small", frameon=False, loc="upper left", bbox_to_anchor=(1.02, 1))
        measured.set_ylim(bottom=0)
    for axes in (loss, accuracy, measured):
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    write_atomically(path, picture.getvalue())


def _curve(axes: Any, steps: Sequence[dict[str, Any]], name: str, percent: bool = False) -> None:
    """Every step faintly, and a running mean over a fiftieth of the run."""
    values = np.array([np.nan if line[name] is None else line[name] for line in steps]) * (100 if percent else 1)
    at = np.array([line["step"] + 1 for line in steps])
    window = max(1, len(values) // 50)
    smooth = np.convolve(np.nan_to_num(values), np.ones(window) / window, mode="valid")
    axes.plot(at, values, alpha=0.25, linewidth=0.8)
    axes.plot(at[window - 1 :], smooth, color=axes.lines[0].get_color(), linewidth=1.5)


def _shown(evaluations: Sequence[dict[str, Any]]) -> list[str]:
    names = dict.fromkeys(name for line in evaluations for name in line["evaluation"])
    return [name for name in names if name.endswith(("recall@1", "recall@10", "top1", "top5"))]
