"""Snapshots: all that is needed to continue a run bit for bit, in one file that is whole or is not there.

    snapshots/step-0001200.5f1c2a9e.safetensors

The eight digits are the start of the SHA-256 of the file's content, so damage shows before anything is believed. Inside
are the parameters and AdamW's moments by name, and a few facts in the header. Random numbers need no state: whatever is
random in a step is seeded by the step (see `trainer.py`).
"""

import hashlib
import json
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, PositiveInt
from safetensors import SafetensorError
from safetensors import torch as safetensors_torch
from torch import Tensor, nn

from lexel.config import Config
from lexel.errors import ModelError
from lexel.files import write_atomically
from lexel.training.optimizer import Optimizer

NAME = re.compile(r"step-(\d+)\.([0-9a-f]{8})\.safetensors")


class SnapshotSettings(Config):
    """When to save; whichever comes first. Changes nothing in the weights that come out."""

    every_minutes: float = Field(default=5.0, gt=0)
    every_steps: PositiveInt | None = None
    keep: int = Field(default=2, ge=1)  # the newest; the one before is there for when the newest is damaged


class SnapshotClock:
    """Tells when the next snapshot is due."""

    def __init__(self, settings: SnapshotSettings) -> None:
        self.settings = settings
        self._last = time.monotonic()

    def due(self, step: int) -> bool:
        """Whether one should be saved after `step` steps; starts the minutes anew when it says yes."""
        by_steps = self.settings.every_steps is not None and step % self.settings.every_steps == 0
        by_minutes = time.monotonic() - self._last >= 60 * self.settings.every_minutes
        if by_steps or by_minutes:
            self._last = time.monotonic()
        return by_steps or by_minutes


@dataclass(frozen=True)
class Snapshot:
    """A run after `step` steps."""

    step: int
    tensors: dict[str, Tensor]
    facts: dict[str, Any]  # JSON values

    def restore(self, clip: nn.Module, optimizer: Optimizer) -> None:
        """Put parameters, buffers and moments back. Raises ModelError when they are another model's."""
        weights = {
            name.removeprefix("clip."): value for name, value in self.tensors.items() if name.startswith("clip.")
        }
        try:
            clip.load_state_dict(weights)
        except RuntimeError:
            raise ModelError(
                f"The snapshot of step {self.step} is of another model than the recipe's. Train into another --output."
            ) from None
        for name, parameter in clip.named_parameters():
            prefix = f"adamw.{name}."
            moments = {key.removeprefix(prefix): value for key, value in self.tensors.items() if key.startswith(prefix)}
            # The fused AdamW keeps its count of steps beside the parameter, and the moments in its memory format.
            optimizer.adamw.state[parameter] = {
                moment: value.to(parameter.device) if moment == "step" else torch.empty_like(parameter).copy_(value)
                for moment, value in moments.items()
            }
        optimizer.skipped_in_a_row = self.facts["skipped_in_a_row"]
        optimizer.remember_buffers()


def save_snapshot(
    folder: Path, step: int, clip: nn.Module, optimizer: Optimizer, facts: dict[str, Any], keep: int
) -> Path:
    """Write the state after `step` steps and drop all but the `keep` newest. Raises OSError, the old ones whole."""
    tensors = {f"clip.{name}": value for name, value in clip.state_dict().items()}
    for name, parameter in clip.named_parameters():
        moments = optimizer.adamw.state.get(parameter, {})
        tensors |= {f"adamw.{name}.{moment}": value for moment, value in moments.items()}
    facts = facts | {"step": step, "skipped_in_a_row": optimizer.skipped_in_a_row}
    content = safetensors_torch.save(
        {name: value.detach().cpu().contiguous() for name, value in tensors.items()}, {"facts": json.dumps(facts)}
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{step:07}.{hashlib.sha256(content).hexdigest()[:8]}.safetensors"
    write_atomically(path, content)
    # One of a later step is what the run fell back from: damaged, and about to be taken again.
    later = [other for other in _snapshots(folder) if _step_of(other) > step]
    for old in later + [other for other in _snapshots(folder) if other not in later][keep:]:
        old.unlink(missing_ok=True)
    return path


def newest_snapshot(folder: Path) -> Snapshot | None:
    """The newest whole snapshot, or None. A damaged one is passed over with a warning on standard error."""
    for path in _snapshots(folder):
        try:
            return _read(path)
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            print(f"Snapshot {path} is damaged ({error}); taking the one before.", file=sys.stderr)
    return None


def _snapshots(folder: Path) -> list[Path]:
    """Newest first."""
    found = [path for path in folder.glob("step-*.safetensors") if NAME.fullmatch(path.name)] if folder.is_dir() else []
    return sorted(found, key=_step_of, reverse=True)


def _step_of(path: Path) -> int:
    return int(path.name.split(".")[0].removeprefix("step-"))


def _read(path: Path) -> Snapshot:
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest()[:8] != path.name.split(".")[1]:
        raise ValueError("its content does not match its name")
    header_length = int.from_bytes(content[:8], "little")
    facts = json.loads(json.loads(content[8 : 8 + header_length])["__metadata__"]["facts"])
    return Snapshot(facts["step"], safetensors_torch.load(content), facts)
