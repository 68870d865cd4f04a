"""A run of open_clip's trainer within a budget of processor seconds, in its own Python, on the pairs that Lexel gets.

Its CSV reader is given one file for each part of the run: the same pairs in the same shares as Lexel draws them, a
caption drawn for each, labels in the same templates. Its weights are read and measured by Lexel.
"""

import json
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from lexel.data.captions import draw_caption
from lexel.data.loader import order_of
from lexel.data.pairs import ImageFile
from lexel.errors import UsageError
from lexel.loading import load
from lexel.training.inputs.input_reader import InputReader
from lexel.training.inputs.training_data import TrainingData, gather
from lexel.training.recipe import Recipe
from speed.lexel_run import PILOT_STEPS, Measurer
from speed.rows import Point

BATCH, CONTEXT, VOCABULARY = 256, 32, 49408
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
RATES = ("3e-4", "1e-3", "2e-3")


def _towers(vision: dict[str, Any], width: int, layers: int) -> dict[str, Any]:
    text = {"context_length": CONTEXT, "vocab_size": VOCABULARY, "width": width, "heads": width // 64, "layers": layers}
    return {"embed_dim": 256, "vision_cfg": {"image_size": 64, "head_width": 64} | vision, "text_cfg": text}


TOWERS: dict[str, dict[str, Any]] = {
    "vit-192": _towers({"layers": 6, "width": 192, "patch_size": 8}, 192, 3),
    "vit-256": _towers({"layers": 6, "width": 256, "patch_size": 8}, 256, 4),
    "rn": _towers({"layers": [1, 2, 2, 1], "width": 32}, 192, 3),
}


def run(
    contestant: str,
    recipe: Recipe,
    python: str | None,
    seconds: float,
    marks: int,
    measure: Measurer,
    say: Callable[[str], None],
) -> list[Point]:
    """Train `open_clip:TOWER@RATE` on the pairs of the recipe, within the budget or for the recipe's steps, measured
    `marks` times, the last at the end."""
    tower, rate = tower_and_rate(contestant, python)
    assert python
    data = gather(recipe, InputReader())
    asked = {"towers": TOWERS[tower], "rate": float(rate), "seed": recipe.seed, "batch_size": BATCH}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        told = asked | {"precision": "amp_bf16", "folder": None}
        steps = recipe.steps or _fitting_steps(python, told, data, recipe.seed, seconds, folder, say)
        ends = [round(steps * mark / marks) for mark in range(1, marks + 1)]
        parts = _write_parts(data, recipe.seed, [0, *ends], folder)
        told |= {"steps": steps, "parts": parts, "folder": str(folder)}
        return list(_points(_answers(python, told), asked["towers"], measure, folder, say))


def tower_and_rate(contestant: str, python: str | None) -> tuple[str, str]:
    """What `open_clip:TOWER@RATE` names. Raises UsageError for what is not there, and without a Python to run it in."""
    tower, _, rate = contestant.removeprefix("open_clip:").partition("@")
    if tower not in TOWERS or rate not in RATES:
        known = ", ".join(f"open_clip:{tower}@{rate}" for tower in TOWERS for rate in RATES)
        raise UsageError(f"No contestant {contestant}. open_clip's are {known}.")
    if not python:
        raise UsageError("Name a Python that can import open_clip: --peer or LEXEL_PEER (benchmarks/README.md).")
    return tower, rate


def _fitting_steps(
    python: str,
    told: dict[str, Any],
    data: TrainingData,
    seed: int,
    seconds: float,
    folder: Path,
    say: Callable[[str], None],
) -> int:
    """Steps that take the budget, by the median of a few, of which the first warms up."""
    parts = _write_parts(data, seed, range(PILOT_STEPS + 2), folder)
    lines = _answers(python, told | {"steps": 1000, "parts": parts})
    taken = np.diff([line["seconds"] for line in lines if "seconds" in line])
    needed = statistics.median(taken.tolist())
    say(f"pilot: a step takes {needed:.3f} processor seconds")
    return max(1, round(seconds / needed))


def _write_parts(data: TrainingData, seed: int, ends: Sequence[int], folder: Path) -> list[str]:
    """A CSV for the steps from each of `ends` to the next; returns the paths."""
    order = order_of(data.sources, seed)
    random = np.random.default_rng(seed)
    paths: list[str] = []
    for number, (start, stop) in enumerate(pairwise(ends)):
        lines = ["filepath\ttitle"]
        for sample in (order.at(position) for position in range(start * BATCH, stop * BATCH)):
            source = data.sources[sample.source]
            pair = source.pairs[sample.index]
            caption, _ = draw_caption(pair, source.templates, source.label_share, random)
            if not isinstance(pair.picture, ImageFile):
                raise UsageError(f"{pair.key} is no file of its own, as open_clip's CSV reader wants it.")
            lines.append(f"{pair.picture.path.absolute()}\t{_cell(caption)}")
        path = folder / f"pairs-{number}.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        paths.append(str(path))
    return paths


def _cell(caption: str) -> str:
    """As pandas reads it back unchanged."""
    return '"' + " ".join(caption.split()).replace('"', '""') + '"'


def _answers(python: str, told: dict[str, Any]) -> Iterator[dict[str, Any]]:
    script = Path(__file__).parent.parent / "peers" / "open_clip_speed.py"
    with subprocess.Popen([python, str(script)], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(told))
        process.stdin.close()
        for line in process.stdout:
            yield json.loads(line)
    if process.returncode:
        raise UsageError("open_clip's process failed; its message is above.")


def _points(
    answers: Iterator[dict[str, Any]],
    towers: dict[str, Any],
    measure: Measurer,
    folder: Path,
    say: Callable[[str], None],
) -> Iterator[Point]:
    first = next(answers)
    merges = Path(first["merges"])
    say(first["library"])
    model = folder / "model"
    model.mkdir()
    preprocessing = {"mean": CLIP_MEAN, "std": CLIP_STD, "interpolation": "bicubic", "resize_mode": "squash"}
    config = {"model_cfg": towers, "preprocess_cfg": {"size": 64} | preprocessing}
    (model / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    for answer in answers:
        steps, seconds = answer["steps"], answer["seconds"]
        shutil.move(folder / f"{steps}.bin", model / "open_clip_pytorch_model.bin")
        measures = measure(load(model, tokenizer=merges))
        found = ", ".join(f"{name} {number.value:.1f}" for name, number in measures.items())
        say(f"step {steps}, {seconds:.0f} s: {found}")
        yield Point(seconds, steps, steps * BATCH, measures)
