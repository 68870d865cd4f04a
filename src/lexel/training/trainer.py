"""Training, told in one screen: `train` is the whole of a run, `_steps` its loop."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch

from lexel.data.bad_images import BadImages
from lexel.errors import LexelError
from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.report import Report
from lexel.progress import say
from lexel.runtimes.allocator import keep_freed_memory
from lexel.training.finish import finish
from lexel.training.interruption import Interruption
from lexel.training.log import RunLog, StepTimes, seconds_in_log
from lexel.training.optimizer import Optimizer
from lexel.training.prepare import evaluation_templates
from lexel.training.recipe import Recipe
from lexel.training.run import RunFolder
from lexel.training.setup import Setup, deterministic, resume, set_up
from lexel.training.snapshot import SnapshotClock, save_snapshot
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


def train(recipe: Recipe, output: str | Path | None = None) -> Run:
    """Train `recipe` in the folder `output` (by itself `runs/NAME`), or go on where an earlier run in it was cut off.

    Raises UsageError when the folder holds another run, DataError when the sources cannot be learned from, and
    InterruptedRunError after Ctrl-C.
    """
    folder = RunFolder.open(Path(output) if output else Path("runs") / recipe.name, recipe)
    if folder.model.exists():
        say(f"The run in {folder.path} has finished; there is nothing left to train.")
        return Run(folder.path, folder.model, Report.load(folder.report), seconds_in_log(folder.path))
    keep_freed_memory()
    with folder.alone(), deterministic():
        setup = set_up(recipe, folder)
        optimizer = Optimizer(setup.clip, recipe.optimizer, recipe.schedule, setup.steps)
        start, seconds = resume(setup, optimizer)
        if start < setup.steps:
            seconds = _steps(setup, optimizer, start, seconds)
        report = finish(setup, seconds)
    return Run(folder.path, folder.model, report, seconds)


def _steps(setup: Setup, optimizer: Optimizer, start: int, seconds: float) -> float:
    """Take the steps from `start` on; returns the seconds trained since the run began."""
    recipe, folder, steps = setup.recipe, setup.folder, setup.steps
    gradients = Gradients(setup.clip, recipe.preprocessing(), recipe.precision)
    measured_after = {round(steps * turn / recipe.evaluation.times) for turn in range(1, recipe.evaluation.times + 1)}
    bad_images = BadImages(folder.bad_images)
    clock = SnapshotClock(recipe.snapshot)
    batches = setup.batches(start)
    setup.clip.train()
    with RunLog(folder.path, start, steps, seconds) as log, Interruption() as interruption:
        for step in range(start, steps):
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
                log.step(step, batch, loss, result, times)

            done = step + 1
            if done == steps or interruption.requested or clock.due(done):
                facts = {"seconds": log.seconds, "data": setup.material.fingerprint}
                save_snapshot(folder.snapshots, done, setup.clip, optimizer, facts, recipe.snapshot.keep)
            if done in measured_after:
                with log.paused():
                    metrics = _measure(setup, done)
                log.evaluation(step, metrics)
            if interruption.requested and done < steps:
                raise InterruptedRunError(f"Stopped after step {done} of {steps}. The same command goes on from there.")
        return log.seconds


def _measure(setup: Setup, done: int) -> dict[str, float]:
    few = setup.material.few_held_out(MEASURED_IN_RUN)
    templates = evaluation_templates(setup.recipe)
    return evaluate(setup.encoder(done), few, templates=templates, labels=setup.material.labels()).metrics()


def _step_seed(seed: int, step: int) -> int:
    """What is random in a step depends on the step alone, so a snapshot needs no generator's state."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{step}".encode(), digest_size=7).digest(), "big")
