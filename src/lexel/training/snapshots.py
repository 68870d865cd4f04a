"""Snapshots: all that is needed to continue a run bit for bit, each in one file that is whole or is not there.

    snapshots/step-0001200.5f1c2a9e.safetensors

The eight digits are the start of the SHA-256 of the file's content, so damage shows before anything is believed. Inside
are the parameters and the optimizer's state by name, and a few facts in the header. Random numbers need no state:
whatever is random in a step is seeded by the step (see `step/seeds.py`).

Training waits only while the state is copied to the host's memory; a thread writes it to disk beside the next steps.
"""

import json
import os
import re
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from pydantic import Field, PositiveInt
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lexel.config import Config
from lexel.errors import ModelError
from lexel.files import UNFINISHED, new_file
from lexel.identity import sha256_of
from lexel.progress import say
from lexel.training.distributed.sharding import like, whole
from lexel.training.optimization.optimizer import Optimizer

NAME = re.compile(r"step-(\d+)\.([0-9a-f]{8})\.safetensors")
Facts = dict[str, Any]  # JSON values


class SnapshotSettings(Config):
    """When to save; whichever comes first. Changes nothing in the weights that come out."""

    every_minutes: float = Field(default=5.0, gt=0)  # minutes between two
    every_steps: PositiveInt | None = None  # steps between two; default: minutes alone decide
    keep: int = Field(default=2, ge=1)  # so many of the newest; the one before is for when the newest is damaged


class SnapshotClock:
    """Decides when the next snapshot is due."""

    def __init__(self, settings: SnapshotSettings) -> None:
        self.settings = settings
        self._last = time.monotonic()

    def due(self, step: int) -> bool:
        """Whether one should be saved after `step` steps; counts the minutes from then on when it says yes."""
        by_steps = self.settings.every_steps is not None and step % self.settings.every_steps == 0
        by_minutes = time.monotonic() - self._last >= 60 * self.settings.every_minutes
        if by_steps or by_minutes:
            self._last = time.monotonic()
        return by_steps or by_minutes


class Snapshots:
    """Saves the snapshots of one run, at most one at a time, and drops all but the `keep` newest.

        with Snapshots(folder, keep=2) as snapshots:
            ...
            snapshots.save(step, model, optimizer, facts)

    Where the state is sharded over processes, all of them call `save`; only the one that `writes` touches the disk. A
    disk that is full or fails ends no run: there is a line on standard error for each snapshot that was not written,
    and the older ones stay. Leaving the block waits for the last one.
    """

    def __init__(self, folder: Path, keep: int, *, writes: bool = True) -> None:
        self.folder = folder
        self.keep = keep
        self.writes = writes
        self._host: dict[str, Tensor] = {}  # where each state is copied to, again and again
        self._writing: _Writing | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or issubclass(kind, Exception):  # a second Ctrl-C does not wait
            self.wait()

    def save(self, step: int, model: nn.Module, optimizer: Optimizer, facts: Facts) -> None:
        """Take the state after `step` steps, and write it in the background. Waits for the one before."""
        self.wait()
        state = {f"clip.{name}": value for name, value in _learning(model).items()} | optimizer.state_tensors()
        copied = self._copy(state)
        if self.writes:
            facts = facts | {"step": step, "skipped_in_a_row": optimizer.skipped_in_a_row}
            self._writing = _Writing(self.folder, step, copied, self._host, facts, self.keep)

    def wait(self) -> int:
        """Wait until nothing is being written. Returns the step of the newest snapshot on disk, 0 without any."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.finish()
        newest = next(iter(_snapshots(self.folder)), None)
        return _step_of(newest) if newest else 0

    @torch.no_grad()
    def _copy(self, state: Mapping[str, Tensor]) -> list[torch.Event]:
        """Copy `state` to the host's memory, each time the same. On a GPU the copies queue up behind the last step,
        and are done when the events say so."""
        copies, devices = {}, set()
        for name, value in state.items():
            complete = whole(value.detach())
            if self.writes:
                copy = self._host.get(name)
                if copy is None:
                    copy = torch.empty(complete.shape, dtype=complete.dtype, pin_memory=complete.is_cuda)
                copies[name] = copy.copy_(complete, non_blocking=complete.is_cuda)
                devices.add(complete.device)
        self._host = copies
        return [torch.cuda.current_stream(device).record_event() for device in devices if device.type == "cuda"]


class _Writing:
    """One snapshot on its way to the disk."""

    def __init__(
        self,
        folder: Path,
        step: int,
        copied: Sequence[torch.Event],
        tensors: dict[str, Tensor],
        facts: Facts,
        keep: int,
    ) -> None:
        self.path = folder / f"step-{step:07}"
        self._error: Exception | None = None
        # A daemon thread: a process that must end at once does not wait for it. Half a file is removed by the next run.
        self._thread = threading.Thread(target=self._run, args=(copied, tensors, facts, keep), daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Wait for the end; says so when the disk failed."""
        self._thread.join()
        if isinstance(self._error, OSError | SafetensorError):
            say(f"Snapshot {self.path} could not be written ({self._error}). The run goes on; older ones are whole.")
        elif self._error is not None:
            raise self._error

    def _run(self, copied: Sequence[torch.Event], tensors: dict[str, Tensor], facts: Facts, keep: int) -> None:
        try:
            for event in copied:
                event.synchronize()
            _write(self.path, tensors, facts)
            _prune(self.path.parent, facts["step"], keep)
        except Exception as error:  # raised, or printed, where the run waits for this thread
            self._error = error


def newest_snapshot(folder: Path) -> "Snapshot | None":
    """The newest whole snapshot, or None. A damaged one is passed over with a warning on standard error."""
    found = _snapshots(folder)
    for path in found:
        try:
            return _read(path)
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            print(f"Snapshot {path} is damaged ({error}) and passed over.", file=sys.stderr)
    if found:
        print("No snapshot of this run is whole, so it begins again with the first step.", file=sys.stderr)
    return None


@dataclass(frozen=True)
class Snapshot:
    """A run after `step` steps."""

    step: int
    tensors: dict[str, Tensor]  # may be read from the file as they are needed
    facts: Facts

    @torch.no_grad()
    def restore(self, model: nn.Module, optimizer: Optimizer) -> None:
        """Put parameters, buffers and the optimizer's state back. Raises ModelError when they are another model's."""
        weights = {
            name.removeprefix("clip."): value for name, value in self.tensors.items() if name.startswith("clip.")
        }
        current = _learning(model)
        for frozen in model.state_dict().keys() - current.keys():  # which older snapshots hold too
            weights.pop(frozen, None)
        if {name: value.shape for name, value in current.items()} != {n: value.shape for n, value in weights.items()}:
            raise ModelError(
                f"The snapshot of step {self.step} is of another model than the recipe's. Train into another --output."
            )
        for name, value in current.items():
            value.copy_(like(value, weights[name]))
        optimizer.load_state_tensors(self.tensors)
        optimizer.skipped_in_a_row = self.facts["skipped_in_a_row"]


def _learning(model: nn.Module) -> dict[str, Tensor]:
    """The part of the state dict that changes in a run. What is frozen is that of the starting model."""
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    return {name: value for name, value in model.state_dict().items() if name not in frozen}


def _write(stem: Path, tensors: dict[str, Tensor], facts: Facts) -> None:
    """Write `stem`.HASH.safetensors whole, or raise OSError or SafetensorError and leave nothing."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    unnamed = stem.with_name(f".{stem.name}.{os.getpid()}{UNFINISHED}")
    try:
        save_file(tensors, unnamed, {"facts": json.dumps(facts)})
        with new_file(stem.with_name(f"{stem.name}.{_digest(unnamed)}.safetensors")) as temporary:
            unnamed.replace(temporary)
    finally:
        unnamed.unlink(missing_ok=True)


def _prune(folder: Path, step: int, keep: int) -> None:
    # One of a later step is what the run fell back from: damaged, and about to be taken again.
    later = [path for path in _snapshots(folder) if _step_of(path) > step]
    for old in later + [path for path in _snapshots(folder) if path not in later][keep:]:
        old.unlink(missing_ok=True)


def _snapshots(folder: Path) -> list[Path]:
    """Newest first."""
    found = [path for path in folder.glob("step-*.safetensors") if NAME.fullmatch(path.name)] if folder.is_dir() else []
    return sorted(found, key=_step_of, reverse=True)


def _step_of(path: Path) -> int:
    return int(path.name.split(".")[0].removeprefix("step-"))


def _read(path: Path) -> Snapshot:
    if _digest(path) != path.name.split(".")[1]:
        raise ValueError("its content does not match its name")
    with safe_open(path, framework="pt") as file:
        facts = json.loads(file.metadata()["facts"])
    return Snapshot(facts["step"], load_file(path), facts)


def _digest(path: Path) -> str:
    return sha256_of(path)[:8]
