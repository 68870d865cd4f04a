"""Where the time of a step goes: a few steps of a recipe, taken beside its run and thrown away.

    runs/NAME-profile/profile.txt     a table: the phases of a step, and the operators that take longest
    runs/NAME-profile/profile.json    the same for programs
    runs/NAME-profile/trace.json.gz   every operator of a few steps, for https://ui.perfetto.dev or chrome://tracing

Some steps warm up; some are taken under a stopwatch and without a profiler, which would slow them down; and some under
the profiler. They are the last ones of the run, when pictures have their full size, but with the first weights.
"""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch._C._autograd import DeviceType
from torch.profiler import ProfilerActivity

from lexel.data.loader import Batch
from lexel.errors import UsageError
from lexel.files import make_folder, write_atomically
from lexel.runtimes.allocator import keep_freed_memory
from lexel.training.default_recipe import find_recipe
from lexel.training.distributed.world import World
from lexel.training.inputs.input_reader import InputReader
from lexel.training.metering.meter import Meter
from lexel.training.metering.phases import Stopwatch, phase
from lexel.training.optimization.average import Average
from lexel.training.optimization.optimizer import Optimizer
from lexel.training.precision import precision_on
from lexel.training.recipe import Recipe
from lexel.training.run.folder import RunFolder
from lexel.training.run.log import RunLog, SilentLog, StepTimes
from lexel.training.run_inputs import RunInputs, make_batches, make_objective, open_log
from lexel.training.setup import deterministic, read_material, set_up
from lexel.training.snapshots import Snapshots
from lexel.training.step.gradients import Gradients

WARM_UP_STEPS = 3
LISTED_OPERATORS = 15
STDERR = 2  # file descriptor
MARK = b"USDT:"
TABLE, FACTS, TRACE, SCRATCH = "profile.txt", "profile.json", "trace.json.gz", "scratch"


@dataclass(frozen=True, slots=True)
class Operator:
    """What one kind of operator takes of a step, without those that it calls."""

    name: str
    seconds: float  # of the GPU where there is one, else of the CPU; a profiler makes many short ones seem longer
    share: float  # of a step under the profiler
    calls: float


@dataclass(frozen=True, slots=True)
class Profile:
    """Where the time of a step goes: seconds of one step, on average."""

    name: str
    steps: int
    batch_size: int
    machine: dict[str, str | int | float]
    seconds: float
    mfu: float | None  # None where a tower is another library's
    phases: dict[str, float]
    operators: tuple[Operator, ...]
    snapshot_seconds: float  # for which a snapshot holds the training up, whenever there is one
    trace: str

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def table(self) -> str:
        """For people."""
        machine, peak = self.machine, float(self.machine["matmul_flops_per_second"]) / 1e12
        processes = f", {machine['processes']} processes" if machine["processes"] != 1 else ""
        mfu = "" if self.mfu is None else f", MFU {self.mfu:.0%} of {peak:,.4g} TFLOP/s"
        phases = sorted(self.phases.items(), key=lambda one: -one[1])
        lines = [
            f"{self.name}: {self.steps} steps of {self.batch_size:,} pairs on {machine['device']} in "
            f"{machine['precision']}{processes}",
            f"{1e3 * self.seconds:,.1f} ms a step, {self.batch_size / self.seconds:,.0f} pairs/s{mfu}",
            "",
            f"{'phase':<44}{'ms a step':>12}{'share':>8}",
            *(f"{name:<44}{1e3 * taken:>12,.2f}{taken / self.seconds:>8.1%}" for name, taken in phases),
            "",
            f"{'operator':<44}{'ms a step':>12}{'share':>8}{'calls':>8}",
            *(
                f"{one.name[:43]:<44}{1e3 * one.seconds:>12,.2f}{one.share:>8.1%}{one.calls:>8,.0f}"
                for one in self.operators
            ),
            "",
            f"A snapshot holds the training up for {self.snapshot_seconds:.2g} s whenever there is one.",
            f"Trace: {self.trace} (open it at https://ui.perfetto.dev)",
        ]
        return "\n".join(lines)


def profile_run(
    recipe: Recipe | str | Path, steps: int, output: str | Path | None = None, *, changes: Sequence[str] = ()
) -> Profile:
    """Take `steps` steps of the recipe twice, with a stopwatch and with a profiler, and write what was seen.

    `recipe` and `changes` are what `train` takes. It goes into a folder of its own, `output` or by default
    `runs/NAME-profile`; the run folder of the recipe is neither read nor written. Raises UsageError when another thing
    is in that folder, or as training would.
    """
    reader = InputReader()
    recipe = find_recipe(recipe, changes, reader)
    with World.join(recipe.device) as world:
        folder = world.once(lambda: _open(Path(output) if output else Path("runs") / f"{recipe.name}-profile"))
        keep_freed_memory()
        with _scratch(folder, world) as scratch, deterministic():
            material = read_material(recipe, world, reader)
            inputs = set_up(recipe, RunFolder(scratch), world, material, reader)
            inputs = _long_enough(inputs, WARM_UP_STEPS + 2 * steps)
            profile = _Profiling(inputs).profile(steps, folder / TRACE)
        if world.main:
            write_atomically(folder / FACTS, json.dumps(profile.facts(), indent=2) + "\n")
            write_atomically(folder / TABLE, profile.table() + "\n")
        return profile


def _open(folder: Path) -> Path:
    if {entry.name for entry in folder.glob("*")} - {TABLE, FACTS, TRACE, SCRATCH}:
        raise UsageError(f"{folder} is not empty and holds no profile. Give another --output.")
    make_folder(folder)
    return folder


@contextmanager
def _scratch(folder: Path, world: World) -> Iterator[Path]:
    """For what the steps themselves write: log, snapshot, embeddings of a frozen tower."""
    scratch = folder / SCRATCH
    world.once(lambda: shutil.rmtree(scratch, ignore_errors=True))  # of a profile that was killed
    world.once(lambda: make_folder(scratch))
    try:
        yield scratch
    finally:
        if world.main:
            shutil.rmtree(scratch, ignore_errors=True)


def _long_enough(inputs: RunInputs, steps: int) -> RunInputs:
    """The inputs, or those of a longer run where it has fewer steps than are to be taken."""
    if inputs.steps >= steps:
        return inputs
    return replace(inputs, recipe=inputs.recipe.model_copy(update={"steps": steps, "epochs": None}))


class _Profiling:
    """The last steps of a run."""

    def __init__(self, inputs: RunInputs) -> None:
        recipe = inputs.recipe
        average = Average.of(inputs.clip, recipe.average)
        self.inputs = inputs
        self.device = inputs.world.device
        self.optimizer = Optimizer(
            inputs.clip, recipe.optimizer, recipe.schedule, inputs.steps, average, recipe.precision
        )
        self.gradients = Gradients(make_objective(inputs), recipe, inputs.world)
        self.meter = Meter(self.device, precision_on(self.device, recipe.precision), inputs.world.size)
        self.towers = {"image tower": inputs.clip.image, "text tower": inputs.clip.text}

    def profile(self, steps: int, trace: Path) -> Profile:
        """Take the steps, and write the `trace` of the last ones."""
        recipe, start = self.inputs.recipe, self.inputs.steps - WARM_UP_STEPS - 2 * steps
        coming = zip(range(start, self.inputs.steps), make_batches(self.inputs, start), strict=True)
        with open_log(self.inputs, start, 0.0) as log:
            self._take(coming, WARM_UP_STEPS, log)
            stopwatch = Stopwatch(self.device, waits=True)
            with stopwatch.watching(self.towers):
                flops = self._take(coming, steps, log)
            names = Stopwatch(self.device, waits=False)
            recorded = self._profiler()
            with _without_marks():
                recorded.start()
            with names.watching(self.towers):
                self._take(coming, steps, log)
            with _without_marks():
                recorded.stop()
        if self.inputs.world.main:
            recorded.export_chrome_trace(str(trace))
        seconds = sum(stopwatch.seconds.values())
        return Profile(
            name=recipe.name,
            steps=steps,
            batch_size=recipe.batch_size,
            machine=self.meter.facts(),
            seconds=seconds / steps,
            mfu=None if flops is None else flops / seconds / self.meter.peak,
            phases={name: taken / steps for name, taken in stopwatch.seconds.items()},
            operators=_operators(recorded, steps, sum(names.seconds.values()), self.device),
            snapshot_seconds=self._snapshot(),
            trace=str(trace),
        )

    def _take(self, coming: Iterator[tuple[int, Batch]], count: int, log: RunLog | SilentLog) -> int | None:
        """Take so many steps; returns their model FLOPs."""
        flops: list[int | None] = []
        for _ in range(count):
            times = StepTimes()
            with phase("data wait"):
                step, batch = next(coming)
            times.data_ready()
            with phase("gradients, the rest"):
                loss = self.gradients(batch, step)
            with phase("optimizer"):
                result = self.optimizer.step(step, loss.loss, batch.keys)
            times.done()
            with phase("log"):
                log.step(step, len(batch.keys), loss, result, times)
            flops.append(loss.work.flops)
        known = [one for one in flops if one is not None]
        return self.inputs.world.size * sum(known) if len(known) == count else None

    def _profiler(self) -> torch.profiler.profile:
        on_gpu = self.device.type == "cuda"
        return torch.profiler.profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])])

    def _snapshot(self) -> float:
        """Seconds until the training could go on after a snapshot; the second one, which finds its memory ready."""
        facts = {"seconds": 0.0, **self.inputs.identity}
        world = self.inputs.world
        with Snapshots(self.inputs.folder.snapshots, keep=1, writes=world.main) as snapshots:
            snapshots.save(1, self.inputs.clip, self.optimizer, facts)
            snapshots.wait()
            start = time.perf_counter()
            snapshots.save(2, self.inputs.clip, self.optimizer, facts)
            return time.perf_counter() - start


@contextmanager
def _without_marks() -> Iterator[None]:
    """Hold back what is written to standard error in the block, to leave out the marks that the profiler writes there
    for tracing tools. Its own setting, KINETO_LOG_LEVEL, would take its errors away too."""
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        stderr = os.dup(STDERR)
        os.dup2(held.fileno(), STDERR)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, STDERR)
            os.close(stderr)
            held.seek(0)
            for line in held:
                if not line.startswith(MARK):
                    os.write(STDERR, line)


def _operators(
    recorded: torch.profiler.profile, steps: int, seconds: float, device: torch.device
) -> tuple[Operator, ...]:
    """Those that take longest without what they call, of `steps` steps that took `seconds` together."""
    measure = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"  # microseconds
    found = [
        Operator(event.key, taken / steps, taken / seconds, event.count / steps)
        for event in recorded.key_averages()
        if event.device_type == DeviceType.CPU and not event.is_user_annotation
        for taken in [getattr(event, measure) / 1e6]
    ]
    return tuple(sorted(found, key=lambda one: -one.seconds)[:LISTED_OPERATORS])
