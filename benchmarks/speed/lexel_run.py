"""A run of Lexel's within a budget of processor seconds: the steps that `lexel train` takes, bit for bit.

Only what a step is made of is timed: making the batch, gradients, the optimizer. Reading sources, learning the
vocabulary, measuring and writing are not. How many steps fit into the budget is found by a pilot on a copy of the
model, which is not counted either.
"""

import copy
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from lexel.data.loader import Batch
from lexel.encoder import Encoder
from lexel.runtimes.allocator import keep_freed_memory
from lexel.training.distributed.world import World
from lexel.training.inputs.input_reader import InputReader
from lexel.training.optimization.average import Average
from lexel.training.optimization.optimizer import Optimizer
from lexel.training.ramp import Ramp
from lexel.training.recipe import Recipe
from lexel.training.run.folder import RunFolder
from lexel.training.run_inputs import RunInputs, live_encoder, make_batches, make_objective
from lexel.training.setup import deterministic, read_material, set_up
from lexel.training.step.gradients import Gradients
from speed.measures import Measured
from speed.rows import Point

PILOT_STEPS = 5  # timed for each size of the pictures, after one that warms up
PROBED_STEPS = 10_000  # of an imagined run, for the share of steps that each size has

Measurer = Callable[[Encoder], dict[str, Measured]]


def run(recipe: Recipe, seconds: float, marks: int, measure: Measurer, say: Callable[[str], None]) -> list[Point]:
    """Train within the budget, measured `marks` times, the last at the end. With `recipe.steps` these are taken, and
    the budget is not looked at."""
    keep_freed_memory()
    torch.set_num_threads(1)
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"workers": 0})})
    with tempfile.TemporaryDirectory() as folder, World.join("cpu") as world, deterministic():
        reader = InputReader()
        material = read_material(recipe, world, reader)
        inputs = set_up(recipe, RunFolder.open(Path(folder) / "run", recipe), world, material, reader)
        if recipe.steps is None:
            inputs = _with_steps(inputs, fitting_steps(inputs, seconds, say))
        return list(_points(inputs, marks, measure, say))


def fitting_steps(inputs: RunInputs, seconds: float, say: Callable[[str], None]) -> int:
    """Steps that take the budget, by the median time of each size of pictures."""
    ramp, tower = inputs.recipe.ramp, inputs.clip.config.image
    sizes = [ramp.image_size(step, PROBED_STEPS, tower) for step in range(PROBED_STEPS)]
    cost = {size: _seconds_of_step(inputs, size) for size in set(sizes)}
    for size, needed in sorted(cost.items()):
        say(f"pilot: a step at {size} pixels takes {needed:.3f} processor seconds")
    return max(1, round(seconds / statistics.mean(cost[size] for size in sizes)))


def _with_steps(inputs: RunInputs, steps: int) -> RunInputs:
    return replace(inputs, recipe=inputs.recipe.model_copy(update={"steps": steps, "epochs": None}))


def _seconds_of_step(inputs: RunInputs, size: int) -> float:
    """The median of a few steps with pictures of `size` pixels, which leave the model as it is."""
    ramp = Ramp(size_from=size / inputs.clip.config.image.image_size)
    recipe = inputs.recipe.model_copy(update={"ramp": ramp})
    trial = _with_steps(replace(inputs, recipe=recipe, clip=copy.deepcopy(inputs.clip)), PROBED_STEPS)
    loop = Loop(trial)
    taken = [loop.step(step) for step in range(PILOT_STEPS + 1)]
    return statistics.median(taken[1:])


class Loop:
    """The steps of a run, as the trainer takes them, and the processor seconds of each."""

    def __init__(self, inputs: RunInputs) -> None:
        recipe, clip = inputs.recipe, inputs.clip.train()
        self.batches: Iterator[Batch] = make_batches(inputs, 0)
        self.gradients = Gradients(make_objective(inputs), recipe, inputs.world)
        average = Average.of(clip, recipe.average)
        self.optimizer = Optimizer(clip, recipe.optimizer, recipe.schedule, inputs.steps, average, recipe.precision)
        self.loss = 0.0

    def step(self, step: int) -> float:
        start = time.process_time()
        batch = next(self.batches)
        self.loss = self.gradients(batch, step).loss
        self.optimizer.step(step, self.loss, batch.keys)
        return time.process_time() - start


def _points(inputs: RunInputs, marks: int, measure: Measurer, say: Callable[[str], None]) -> Iterator[Point]:
    loop, seconds = Loop(inputs), 0.0
    measured_after = {round(inputs.steps * mark / marks) for mark in range(1, marks + 1)}
    for step in range(inputs.steps):
        seconds += loop.step(step)
        if step + 1 in measured_after:
            with loop.optimizer.averaged(), _evaluating(inputs):
                measures = measure(live_encoder(inputs, step + 1))
            say(f"step {step + 1}/{inputs.steps}, {seconds:.0f} s, loss {loop.loss:.3f}: {_in_words(measures)}")
            yield Point(seconds, step + 1, (step + 1) * inputs.recipe.batch_size, measures)


@contextmanager
def _evaluating(inputs: RunInputs) -> Iterator[None]:
    inputs.clip.eval()
    yield
    inputs.clip.train()


def _in_words(measures: dict[str, Measured]) -> str:
    return ", ".join(f"{name} {number.value:.1f}" for name, number in measures.items())
