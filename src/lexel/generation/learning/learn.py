"""The loop in which a generative module learns, with the pieces that CLIP's training is made of.

A run that was killed at any instant goes on with the same call, to the same weights, bit for bit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from lexel.generation.learning.folder import SNAPSHOTS, open_learning
from lexel.generation.learning.settings import LearningSettings
from lexel.progress import say
from lexel.runtimes.torch import choose_device
from lexel.training.metering.meter import Meter
from lexel.training.metering.work import Work
from lexel.training.optimization.average import Average, AverageSettings
from lexel.training.optimization.optimizer import Optimizer, OptimizerSettings
from lexel.training.optimization.schedule import Schedule
from lexel.training.precision import precision_on
from lexel.training.run.interruption import InterruptedRunError, Interruption
from lexel.training.run.log import RunLog, StepTimes
from lexel.training.setup import deterministic
from lexel.training.snapshots import SnapshotClock, Snapshots, newest_snapshot
from lexel.training.step.gradients import StepLoss
from lexel.training.step.seeds import seed_of


class Learner(Protocol):
    """What learns: a module, and the loss of each step."""

    @property
    def model(self) -> nn.Module:
        """`learn` puts it on the device and into training mode."""
        ...

    def loss(self, step: int) -> Tensor:
        """The loss of step `step` (counted from 0) on the model's device, a scalar.

        All that is random comes from the seed and the step (`batches`); torch's own generator is seeded by both too.
        """
        ...


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished run."""

    steps: int
    seconds: float  # spent in steps, over all the times that the run was continued
    loss: float | None  # mean of the last steps; None where none was taken in this call


def learn(learner: Learner, folder: Path, settings: LearningSettings, identity: Mapping[str, Any]) -> Trained:
    """Train in `folder`, or go on where an earlier run in it was cut off.

    Afterwards the model has the averaged weights, where the settings want an average, and is in evaluation mode.
    `identity` says by hashes what is learned, and from what: JSON values. Raises UsageError where the folder holds
    another run, LexelError where the loss stays not finite, and InterruptedRunError after Ctrl-C, with all saved.
    """
    device = torch.device(choose_device(settings.device))
    learner.model.to(device).train()
    with open_learning(folder, settings, identity), deterministic():
        average = Average.of(learner.model, AverageSettings(decay=settings.average))
        optimizer = Optimizer(
            learner.model,
            OptimizerSettings(
                learning_rate=settings.learning_rate,
                weight_decay=settings.weight_decay,
                beta2=settings.beta2,
                clip_norm=settings.clip_norm,
            ),
            Schedule(warmup=settings.warmup),
            settings.steps,
            average,
        )
        start, seconds = _resume(folder, learner.model, optimizer, settings.steps)
        learned = Trained(settings.steps, seconds, None)
        if start < settings.steps:
            learned = _steps(learner, optimizer, folder, settings, start, seconds)
        if average is not None:
            average.put_in_place()
    learner.model.eval()
    return learned


def _resume(folder: Path, model: nn.Module, optimizer: Optimizer, steps: int) -> tuple[int, float]:
    """Put the newest snapshot back, if there is one: the step to go on with, and the seconds trained before."""
    found = newest_snapshot(folder / SNAPSHOTS)
    if found is None:
        return 0, 0.0
    found.restore(model, optimizer)
    if found.step < steps:
        say(f"Going on after step {found.step} of {steps}.")
    return found.step, found.facts["seconds"]


def _steps(
    learner: Learner, optimizer: Optimizer, folder: Path, settings: LearningSettings, start: int, seconds: float
) -> Trained:
    device = next(learner.model.parameters()).device
    precision = precision_on(device, settings.precision)
    clock = SnapshotClock(settings.snapshot)
    snapshots = Snapshots(folder / SNAPSHOTS, settings.snapshot.keep)
    meter, recent = Meter(device, precision), []
    with RunLog(folder, start, settings.steps, seconds, meter) as log, Interruption() as interruption, snapshots:
        for step in range(start, settings.steps):
            times = StepTimes()
            torch.manual_seed(seed_of(settings.seed, step))  # for dropout
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == torch.bfloat16):
                loss = learner.loss(step)
            loss.backward()
            value = float(loss.detach())
            result = optimizer.step(step, value, ())
            times.done()
            log.step(step, settings.batch_size, StepLoss(value, {}, Work(tokens=None, flops=None)), result, times)
            if result.skipped:
                log.skipped(step, ())
            recent = [*recent[-19:], value]

            done, asked = step + 1, interruption.requested
            if done == settings.steps or asked or clock.due(done):
                snapshots.save(done, learner.model, optimizer, {"seconds": log.seconds})
            if asked and done < settings.steps:
                raise InterruptedRunError.after(done, settings.steps, snapshots.wait())
        return Trained(settings.steps, log.seconds, sum(recent) / len(recent))
