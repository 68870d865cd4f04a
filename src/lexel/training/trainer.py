"""Training, told in one screen: `_steps` is the loop, what comes before and after it is in `train`."""

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lexel.data.bad_images import BadImages
from lexel.data.loader import BatchMaker, load_batches
from lexel.data.order import Order
from lexel.errors import LexelError
from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.report import Report
from lexel.models.clip import CLIP, init_weights
from lexel.progress import say
from lexel.runtimes.torch import best_device
from lexel.tokenizer import Tokenizer
from lexel.training.finish import finish, live_encoder
from lexel.training.interruption import Interruption
from lexel.training.log import RunLog, StepTimes
from lexel.training.optimizer import Optimizer
from lexel.training.prepare import Material, evaluation_templates, gather, train_tokenizer
from lexel.training.recipe import Recipe
from lexel.training.run import RunFolder
from lexel.training.snapshot import SnapshotClock, newest_snapshot, save_snapshot
from lexel.training.step import Gradients

MEASURED_IN_RUN = 1000  # held-out pairs at most; all of them at the end


class InterruptedRunError(LexelError):
    """The run was asked to stop, and did after saving a snapshot."""

    exit_status = 130


@dataclass(frozen=True)
class Run:
    """A finished run."""

    folder: Path
    model: Path  # the model folder
    report: Report  # of the held-out pairs
    training_seconds: float  # spent in steps, over all the times that the run was continued


@dataclass(frozen=True)
class Setup:
    """All that the loop works with."""

    recipe: Recipe
    folder: RunFolder
    material: Material
    tokenizer: Tokenizer
    clip: CLIP
    steps: int
    maker: BatchMaker


def train(recipe: Recipe, output: str | Path | None = None) -> Run:
    """Train `recipe` in the folder `output` (by itself `runs/NAME`), or go on where an earlier run in it was cut off.

    Raises UsageError when the folder holds another run, DataError when the sources cannot be learned from, and
    InterruptedRunError after Ctrl-C.
    """
    folder = RunFolder.open(Path(output) if output else Path("runs") / recipe.name, recipe)
    with _deterministic():
        setup = _set_up(recipe, folder)
        optimizer = Optimizer(setup.clip, recipe.optimizer, recipe.schedule, setup.steps)
        start, seconds = _resume(setup, optimizer)
        if start < setup.steps:
            seconds = _steps(setup, optimizer, start, seconds)
        report = finish(setup.recipe, folder, setup.material, setup.tokenizer, setup.clip, setup.steps, seconds)
    return Run(folder.path, folder.model, report, seconds)


def _steps(setup: Setup, optimizer: Optimizer, start: int, seconds: float) -> float:
    """Take the steps from `start` on; returns the seconds spent in steps since the run began."""
    recipe, clip = setup.recipe, setup.clip
    gradients = Gradients(clip, recipe.preprocessing(), recipe.precision)
    batches = load_batches(
        setup.maker,
        start=start,
        stop=setup.steps,
        workers=recipe.data.workers,
        pin_memory=gradients.device.type == "cuda",
    )
    measured_after = {round(setup.steps * turn / recipe.evaluation.times) for turn in range(1, recipe.evaluation.times)}
    bad_images = BadImages(setup.folder.bad_images)
    clock = SnapshotClock(recipe.snapshot)
    clip.train()
    with RunLog(setup.folder.path, start, setup.steps, seconds) as log, Interruption() as interruption:
        for step in range(start, setup.steps):
            times = StepTimes()
            batch = next(batches)
            times.data_ready()
            for key, reason in batch.bad:
                bad_images.add(key, reason)
                bad_images.check(setup.material.pairs, recipe.data.max_bad_share)
            if batch.keys:
                torch.manual_seed(_step_seed(recipe.seed, step))
                loss = gradients(batch)
                result = optimizer.step(step, loss.loss, batch.keys)
                times.done()
                log.step(step, batch, loss, result, math.exp(clip.logit_scale.item()), times)

            done = step + 1
            if done in measured_after:
                with log.paused():
                    metrics = _measure(setup, done)
                log.evaluation(step, metrics)
            if done == setup.steps or interruption.requested or clock.due(done):
                facts = {"seconds": log.seconds, "data": setup.material.fingerprint}
                save_snapshot(setup.folder.snapshots, done, clip, optimizer, facts, recipe.snapshot.keep)
            if interruption.requested and done < setup.steps:
                raise InterruptedRunError(
                    f"Stopped after step {done} of {setup.steps}. The same command goes on from there."
                )
        return log.seconds


def _set_up(recipe: Recipe, folder: RunFolder) -> Setup:
    material = gather(recipe)
    context_length = recipe.architecture().text.context_length
    tokenizer = train_tokenizer(recipe, material, context_length)
    clip = CLIP(recipe.architecture(tokenizer.vocabulary_size, tokenizer.end_of_text))
    init_weights(clip, recipe.seed)
    device = recipe.device or best_device()
    clip.to(device)
    order = Order([len(s.pairs) for s in material.sources], [s.weight for s in material.sources], recipe.seed)
    steps = recipe.total_steps(order.epoch_size)
    preprocessing = recipe.preprocessing()
    maker = BatchMaker(material.sources, order, recipe.batch_size, tokenizer, preprocessing, recipe.augmentation)
    say(
        f"Training {recipe.name}: {material.pairs:,} pairs, {steps:,} steps of {recipe.batch_size} "
        f"({steps * recipe.batch_size / order.epoch_size:.1f} epochs), {sum(p.numel() for p in clip.parameters()):,} "
        f"parameters, on {device}, into {folder.path}"
    )
    return Setup(recipe, folder, material, tokenizer, clip, steps, maker)


def _resume(setup: Setup, optimizer: Optimizer) -> tuple[int, float]:
    """Put the newest snapshot back: the step to go on with, and the seconds spent before."""
    snapshot = newest_snapshot(setup.folder.snapshots)
    if snapshot is None:
        return 0, 0.0
    setup.folder.check_data(snapshot.facts["data"], setup.material.fingerprint)
    snapshot.restore(setup.clip, optimizer)
    say(f"Going on after step {snapshot.step} of {setup.steps}.")
    return snapshot.step, snapshot.facts["seconds"]


def _measure(setup: Setup, done: int) -> dict[str, float]:
    encoder = live_encoder(setup.recipe, setup.clip, setup.tokenizer, done)
    few = setup.material.few_held_out(MEASURED_IN_RUN)
    return evaluate(encoder, few, templates=evaluation_templates(setup.recipe)).metrics()


def _step_seed(seed: int, step: int) -> int:
    """What is random in a step depends on the step alone, so a snapshot needs no generator's state."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{step}".encode(), digest_size=7).digest(), "big")


@contextmanager
def _deterministic() -> Iterator[None]:
    fills: Any = torch.utils.deterministic  # its settings are properties of the module, unknown to type checkers
    before = torch.are_deterministic_algorithms_enabled(), fills.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    fills.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        fills.fill_uninitialized_memory = before[1]
