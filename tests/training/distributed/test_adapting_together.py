"""LoRA, remembering and guards in two processes, beside the same runs in one."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from fine_tuned import fine_tuning_recipe, scores
from processes import together
from safetensors.torch import load_file

from lexel.training import guards
from lexel.training.recipe import Recipe
from lexel.training.trainer import train

# Batches that do not divide evenly. AdamW moves a weight whose gradient is nothing but rounding by up to the rate, so
# that is low enough for the tolerance below.
ODD = ("batch_size=15", "steps=4", "average.decay=0.5", "optimizer.learning_rate=1e-3")
GUARDED = ('guard.sources=["scenes:16/test"]', "guard.templates=scene", "guard.most_lost=100", "evaluation.times=4")
MANNERS = {
    "lora": ("adapt.kind=lora", "adapt.rank=4", *GUARDED),
    "remembering": ("adapt.kind=full", "adapt.remember_on=scenes:24/test", "parallel.shard=towers"),
}


def run(recipe: Recipe, folder: Path) -> None:
    train(recipe, folder)


def run_until_a_guard_falls(recipe: Recipe, folder: Path) -> None:
    """The guard is said to fall at the third measurement of the run."""
    real = guards.measure_score
    guards.measure_score = scores(0.5, 0.49, 0.5, 0.3)
    try:
        train(recipe, folder)
    finally:
        guards.measure_score = real


@pytest.fixture(scope="module")
def runs(tiny_model, tmp_path_factory) -> Path:
    """A folder of runs, named by their manner and by the number of processes."""
    folder = tmp_path_factory.mktemp("runs")
    jobs: list[tuple[Any, Recipe, str]] = [
        (run, fine_tuning_recipe(tiny_model, (*ODD, *changes)), name) for name, changes in MANNERS.items()
    ]
    falling = fine_tuning_recipe(tiny_model, (*ODD, *GUARDED, "guard.most_lost=2"))
    jobs.append((run_until_a_guard_falls, falling, "falling"))
    for function, recipe, name in jobs:
        function(recipe, folder / name / "1")
    outcomes = together(2, [(function, (recipe, folder / name / "2")) for function, recipe, name in jobs])
    assert outcomes == [[None, None]] * len(jobs)
    return folder


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model" / "weights.safetensors")


@pytest.mark.parametrize("manner", [*MANNERS, "falling"])
def test_the_weights_are_those_of_one_process(runs, manner):
    alone, both = (weights(runs / manner / count) for count in "12")
    for name, value in both.items():
        torch.testing.assert_close(value, alone[name], rtol=0, atol=1e-5, msg=name)


def test_the_adapter_stands_beside_the_same_layers_and_the_rest_stays(runs, tiny_model):
    alone, both = (load_file(runs / "lora" / count / "adapter" / "adapter.safetensors") for count in "12")
    assert alone.keys() == both.keys()
    start, tuned = load_file(tiny_model / "weights.safetensors"), weights(runs / "lora" / "2")
    touched = {name.removesuffix(".up") + ".weight" for name in both if name.endswith(".up")}
    assert all(torch.equal(start[name], tuned[name]) for name in start.keys() - touched)


@pytest.mark.parametrize("manner", [*MANNERS, "falling"])
def test_losses_and_guards_are_those_of_one_process(runs, manner):
    def told(run: Path) -> list[float]:
        lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        numbers = [line[name] for line in lines for name in ("loss", "moved", "remembered_moved") if name in line]
        return numbers + [value for line in lines for value in line.get("evaluation", {}).values()]

    assert told(runs / manner / "2") == pytest.approx(told(runs / manner / "1"), rel=1e-3)


def test_a_guard_that_falls_stops_all_processes_at_the_same_step(runs):
    alone, both = (json.loads((runs / "falling" / count / "guards.json").read_text()) for count in "12")
    assert alone["reason"] == both["reason"]
    assert both["reason"].startswith("Stopped after step 3")
    assert alone["best"] == both["best"] > 0
    assert json.loads((runs / "falling" / "2" / "log.jsonl").read_text().splitlines()[-1])["step"] == 2
