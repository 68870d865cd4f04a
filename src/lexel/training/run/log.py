"""What a run says while it goes: a live line for people, `log.jsonl` for programs, TensorBoard events for both.

Every line of `log.jsonl` has a `step` (counted from 0) and is either a training step, a skipped batch, an evaluation,
or the `machine` on which the run goes on from that step, with the peak that `mfu` is a share of. Rates are those of all
processes together; `memory` is in bytes and of one.
"""

import json
import math
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

from lexel.evaluation.report.phrases import metric_in_words
from lexel.files import write_atomically
from lexel.progress import PLAIN_LINE_EVERY, duration
from lexel.terminal import unescaped
from lexel.training.metering.meter import Meter
from lexel.training.optimization.optimizer import StepResult
from lexel.training.step.gradients import StepLoss

LOG, EVENTS = "log.jsonl", "tensorboard"
WINDOW_STEPS = 20  # over which speeds and losses are averaged for people
BAR_WIDTH, TIME_WIDTH = 12, 9  # characters of the live line


class RunLog:
    """Writes the log of a run that goes on after `start` steps; what was logged of later ones is forgotten.

    With several processes only the first one keeps a log.
    """

    def __init__(self, folder: Path, start: int, steps: int, seconds: float, meter: Meter) -> None:
        self.seconds = seconds  # spent in training steps so far, waiting for data included
        self._steps = steps
        self._meter = meter
        self._forget_after(folder / LOG, start)
        self._file = open(folder / LOG, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 - closed by __exit__
        self._events = SummaryWriter(str(folder / EVENTS), purge_step=start)
        self._write({"step": start, "machine": meter.facts()})
        self._recent: deque[dict[str, float | None]] = deque(maxlen=WINDOW_STEPS)
        self._said = time.monotonic()
        columns = (
            TextColumn("[bold]{task.completed}/{task.total}"),
            BarColumn(bar_width=BAR_WIDTH),
            TimeRemainingColumn(),
        )
        live = sys.stderr.isatty()
        console = Console(file=unescaped(sys.stderr))
        self._progress = Progress(
            *columns,
            TextColumn("{task.fields[facts]}", markup=False),
            console=console,
            disable=not live,
            transient=True,
        )
        self._task = self._progress.add_task("train", total=steps, completed=start, facts="starting")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
        self._file.close()
        self._events.close()

    def step(self, step: int, pairs: int, loss: StepLoss, result: StepResult, times: "StepTimes") -> None:
        """Note one training step, on so many pairs of this process."""
        self.seconds += times.total
        line = {
            "loss": loss.loss,
            **loss.numbers,
            "learning_rate": result.learning_rate,
            "gradient_norm": result.gradient_norm,
            "data_wait": times.waiting / times.total,
            **asdict(self._meter.use(loss.work, pairs, times.total)),
        }
        self._write({"step": step, **line, "seconds": self.seconds})
        for name, value in line.items():
            if value is not None:
                self._events.add_scalar(f"training/{name}", value, step)
        self._recent.append(line)
        self._show(step)

    def skipped(self, step: int, keys: Sequence[str]) -> None:
        """Note that step `step` was not taken; `keys` are those of its whole batch."""
        self._write({"step": step, "skipped": True, "keys": list(keys)})
        self._progress.console.print(f"Step {step}: loss or gradient is not finite, the batch is skipped.")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take the live line away while something else shows its own."""
        self._progress.stop()
        yield
        self._progress.start()

    def evaluation(self, step: int, metrics: dict[str, float]) -> None:
        """Note what an evaluation after step `step` found."""
        self._write({"step": step, "evaluation": metrics})
        for name, value in metrics.items():
            self._events.add_scalar(f"evaluation/{name}", value, step)
        best = [f"loss of held-out pairs {metrics['loss']:.3f}"] if "loss" in metrics else []
        best += [
            f"{metric_in_words(name)} {value:.1%}"
            for name, value in metrics.items()
            if name.endswith(("recall@1", "top1")) and not name.startswith("languages/")
        ]
        spoken = [
            f"{name.split('/')[1]} {value:.1%}"
            for name, value in metrics.items()
            if name.startswith("languages/") and name.endswith("text_to_image/recall@10")
        ]
        best += [f"text → image, recall@10 by language: {', '.join(spoken)}"] if spoken else []
        line = f"After step {step + 1}: {'; '.join(best)}"
        self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(_finite(line), allow_nan=False) + "\n")

    def _show(self, step: int) -> None:
        last = step + 1 == self._steps
        if self._progress.disable and not last and time.monotonic() - self._said < PLAIN_LINE_EVERY:
            return
        self._said = time.monotonic()
        facts = list(self._facts())
        self._progress.update(self._task, completed=step + 1, facts=self._fitting(facts))
        if self._progress.disable:
            left = (self._steps - step - 1) * self.seconds / (step + 1)
            print(
                f"step {step + 1}/{self._steps}  {'  '.join(facts)}  {duration(left)} left",
                file=sys.stderr,
                flush=True,
            )

    def _facts(self) -> Iterator[str]:
        """What a person who looks wants to know, most important first."""
        mean = {name: _mean([line[name] for line in self._recent]) for name in self._recent[-1]}
        yield f"loss {mean['loss']:.3f}"
        if "accuracy" in mean:
            yield f"accuracy {mean['accuracy']:.0%}"
        yield f"{mean['pairs_per_second']:,.0f} pairs/s"
        if not math.isnan(mean["mfu"]):
            yield f"MFU {mean['mfu']:.0%}"
        yield f"data wait {mean['data_wait']:.0%}"
        if "logit_scale" in mean:
            yield f"scale {mean['logit_scale']:.0f}"
        yield f"{mean['memory'] / 1e9:.1f} GB"

    def _fitting(self, facts: list[str]) -> str:
        """As many of the facts as the line has room for."""
        room = self._progress.console.width - 2 * len(str(self._steps)) - BAR_WIDTH - TIME_WIDTH - 5
        while facts and len("  ".join(facts)) > room:
            facts = facts[:-1]
        return "  ".join(facts)

    @staticmethod
    def _forget_after(path: Path, start: int) -> None:
        """Drop the lines of steps that will be taken again, and the half line of a killed run."""
        if not path.exists():
            return
        kept = []
        for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                if json.loads(text)["step"] < start:
                    kept.append(text + "\n")
            except (json.JSONDecodeError, KeyError, TypeError):
                continue
        write_atomically(path, "".join(kept))


def _finite(value: Any) -> Any:
    """The value with null in the place of numbers that are not finite, which JSON does not have."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _mean(values: Sequence[float | None]) -> float:
    """NaN where a value is unknown."""
    return sum(math.nan if value is None else value for value in values) / len(values)


class SilentLog:
    """In the place of a RunLog on the processes that keep none."""

    seconds = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def step(self, *_: object) -> None: ...

    def skipped(self, *_: object) -> None: ...

    def evaluation(self, *_: object) -> None: ...

    def paused(self) -> AbstractContextManager[None]:
        return nullcontext()


class StepTimes:
    """A stopwatch for one step: how long it took in all, and how long of it was spent waiting for data."""

    def __init__(self) -> None:
        self._start = self._data_ready = self._end = time.perf_counter()

    def data_ready(self) -> None:
        self._data_ready = time.perf_counter()

    def done(self) -> None:
        self._end = time.perf_counter()

    @property
    def total(self) -> float:
        return self._end - self._start

    @property
    def waiting(self) -> float:
        return self._data_ready - self._start


def seconds_in_log(folder: Path) -> float:
    """How long the run in `folder` has trained."""
    return max((line["seconds"] for line in read_log(folder) if "seconds" in line), default=0.0)


def is_evaluated(folder: Path, step: int) -> bool:
    """Whether the log of the run in `folder` has an evaluation after step `step`."""
    return any(line["step"] == step and "evaluation" in line for line in read_log(folder))


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's log."""
    return [json.loads(line) for line in (folder / LOG).read_text(encoding="utf-8").splitlines()]
