"""Training on one screen: `train` is the whole of a run, `_steps` its loop."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lexel.checkpoints.model_folder.training_pictures import TrainingPictures
from lexel.data.bad_images import BadImages
from lexel.data.captions import says_something
from lexel.evaluation.report.report import Report
from lexel.evaluation.texts.templates import templates
from lexel.progress import say
from lexel.runtimes.allocator import keep_freed_memory
from lexel.training.default_recipe import find_recipe
from lexel.training.distributed.world import World
from lexel.training.finish import finish
from lexel.training.guards import Guards
from lexel.training.held_out import held_out_metrics
from lexel.training.inputs.input_reader import InputReader
from lexel.training.inputs.training_data import evaluation_templates
from lexel.training.optimization.average import Average
from lexel.training.optimization.optimizer import Optimizer
from lexel.training.recipe import Recipe
from lexel.training.run.folder import RunFolder
from lexel.training.run.growth import SEEN_PAIRS, Growth
from lexel.training.run.interruption import InterruptedRunError, Interruption
from lexel.training.run.log import RunLog, SilentLog, StepTimes, is_evaluated, seconds_in_log
from lexel.training.run_inputs import (
    RunInputs,
    live_encoder,
    make_batches,
    make_objective,
    open_log,
    open_picture_memory,
)
from lexel.training.setup import Material, deterministic, read_material, restore_best, resume, set_up
from lexel.training.snapshots import SnapshotClock, Snapshots
from lexel.training.step.gradients import Gradients

PAIRS_MEASURED_IN_RUN = 1000  # of the held-out ones, at most; all of them are measured at the end


@dataclass(frozen=True)
class Run:
    """A finished run.

    Example:
        run = lexel.train("shop.csv")
        lexel.load(run.model), run.report.metrics()
    """

    folder: Path
    model: Path  # the model folder
    report: Report  # of the held-out pairs
    training_seconds: float  # spent in steps, over all the times that the run was continued


def train(recipe: Recipe | str | Path, output: str | Path | None = None, *, changes: Sequence[str] = ()) -> Run:
    """Train in the folder `output` (default `runs/NAME`), or go on where an earlier run in it was cut off.

    `recipe` is a Recipe, the path of one (.toml), or a source of pairs such as a folder or a table, for which a recipe
    is chosen by its size. `changes` are `path.to.field=value`, as `--set` of the command line takes them.

    Under torchrun each process has a part of every batch, on a device of its own (see `World`). Raises UsageError when
    the folder holds another run, DataError when the sources cannot be learned from, and InterruptedRunError after
    Ctrl-C.

    Example:
        run = lexel.train("shop.csv", "runs/shop", changes=["model.weights=ViT-B-32/openai", "epochs=5"])
        encoder = lexel.load(run.model)
    """
    reader = InputReader()
    recipe = find_recipe(recipe, changes, reader)
    with World.join(recipe.device) as world:
        folder = world.once(lambda: RunFolder.open(Path(output) if output else Path("runs") / recipe.name, recipe))
        if finished := world.once(lambda: _finished(folder)):
            return finished
        material = read_material(recipe, world, reader)  # what is wrong there is said before anything is written
        with world.main_in(lambda: folder.alone(recipe)):
            return world.once(lambda: _finished(folder)) or _train(recipe, folder, world, material, reader)


def _finished(folder: RunFolder) -> Run | None:
    if not folder.model.exists():
        return None
    say(f"The run in {folder.path} has finished; there is nothing left to train.")
    return Run(folder.path, folder.model, Report.load(folder.report), seconds_in_log(folder.path))


def _train(recipe: Recipe, folder: RunFolder, world: World, material: Material, reader: InputReader) -> Run:
    keep_freed_memory()
    with deterministic():
        inputs = set_up(recipe, folder, world, material, reader)
        average = Average.of(inputs.clip, recipe.average)
        optimizer = Optimizer(inputs.clip, recipe.optimizer, recipe.schedule, inputs.steps, average, recipe.precision)
        guards = Guards(inputs, material.guards) if recipe.model.weights else None
        start, seconds = resume(inputs, optimizer)
        if guards:
            guards.resume(optimizer)
        seconds, learned = _steps(inputs, optimizer, start, seconds, guards)
        if guards and guards.reason:
            restore_best(inputs, optimizer)
        with optimizer.averaged():
            report = finish(inputs, seconds, learned, guards.kept() if guards else None)
    return Run(folder.path, folder.model, report, seconds)


def _steps(
    inputs: RunInputs, optimizer: Optimizer, start: int, seconds: float, guards: Guards | None
) -> tuple[float, TrainingPictures]:
    """Take the steps from `start` on; returns the seconds trained since the run began, and what was learned from."""
    recipe, folder, steps, world = inputs.recipe, inputs.folder, inputs.steps, inputs.world
    gradients = Gradients(make_objective(inputs), recipe, world)
    turns = range(1, recipe.evaluation.times + 1)
    measured_after = {round(steps * turn / len(turns)) for turn in turns} - {0}
    bad_images = world.once(lambda: BadImages(folder.bad_images))
    clock = SnapshotClock(recipe.snapshot)
    memory = open_picture_memory(inputs, start)
    batches = make_batches(inputs, start)
    snapshots = Snapshots(folder.snapshots, recipe.snapshot.keep, writes=world.main)
    _note_bad(inputs, bad_images, ())  # those found before the run was cut off
    with open_log(inputs, start, seconds) as log, Interruption() as interruption, snapshots:
        # A kill may have come after the snapshot and before the evaluation of the same step.
        if start in measured_after and not world.once(lambda: is_evaluated(folder.path, start - 1)):
            _measure(inputs, optimizer, start, log, guards)
        growth = _open_growth(inputs, start)
        _grow(growth, inputs, start)
        for step in range(start, steps):
            if guards and guards.reason:
                break
            times = StepTimes()
            batch = next(batches)
            times.data_ready()
            pairs, bad = world.sum(len(batch.keys), len(batch.bad))  # of all processes: one alone may have none
            if bad:
                _note_bad(inputs, bad_images, batch.bad)
            if pairs:
                memory.add(batch)
                loss = gradients(batch, step)
                result = optimizer.step(step, loss.loss, batch.keys)
                times.done()
                log.step(step, len(batch.keys), loss, result, times)
                if result.skipped:
                    log.skipped(step, [key for keys in world.gather(batch.keys) for key in keys])

            done = step + 1
            asked, due = world.sum(interruption.requested, world.main and clock.due(done))
            if done == steps or asked or due:
                facts = {"seconds": log.seconds, **inputs.identity}
                memory.save()
                snapshots.save(done, inputs.clip, optimizer, facts)
            if done in measured_after:
                _measure(inputs, optimizer, done, log, guards)
            _grow(growth, inputs, done)
            if asked and done < steps:
                raise InterruptedRunError.after(done, steps, world.once(snapshots.wait))
        return world.once(lambda: log.seconds), memory.all_after(steps)


def _note_bad(inputs: RunInputs, bad_images: BadImages, found: Sequence[tuple[str, str]]) -> None:
    """Write down (key, reason) of what each process has found. Raises DataError when it is too much in all."""
    all_found = [image for part in inputs.world.gather(found) for image in part]

    def note() -> None:
        for key, reason in all_found:
            bad_images.add(key, reason)
        bad_images.check(inputs.training_data.pairs, inputs.recipe.data.max_bad_share)

    inputs.world.once(note)


def _measure(
    inputs: RunInputs, optimizer: Optimizer, done: int, log: RunLog | SilentLog, guards: Guards | None
) -> None:
    """Log loss and metrics of held-out pairs after `done` steps; those of averaged weights begin with `average/`."""

    def measured() -> dict[str, float]:
        return held_out_metrics(inputs, done, PAIRS_MEASURED_IN_RUN)

    with log.paused():
        metrics = measured()
        if optimizer.average is not None:
            with optimizer.averaged():
                metrics |= {f"average/{name}": value for name, value in measured().items()}
        if guards:
            with optimizer.averaged():
                loss = metrics.get("average/loss", metrics["loss"])
                metrics |= guards.check(done, loss, optimizer)
    log.evaluation(done - 1, metrics)


def _open_growth(inputs: RunInputs, start: int) -> Growth:
    """The batch whose matrix is looked at while the run goes on; the same on every process."""
    template = templates(evaluation_templates(inputs.recipe))[0]
    few = [pair for pair in inputs.training_data.few_held_out(SEEN_PAIRS).pairs if says_something(pair)]
    return Growth.open(inputs.folder.path, inputs.steps, few, template, start)


def _grow(growth: Growth, inputs: RunInputs, done: int) -> None:
    """Note how the batch looks to the model after `done` steps, where that is due."""
    if growth.is_due(done):
        growth.note(live_encoder(inputs, done), done, write=inputs.world.main)
