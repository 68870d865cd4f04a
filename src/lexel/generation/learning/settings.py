"""The settings that all generative modules' training has in common."""

from typing import Any

from pydantic import Field, PositiveInt

from lexel.config import Config
from lexel.training.precision import Precision
from lexel.training.snapshots import SnapshotSettings


class LearningSettings(Config):
    """How long a module learns, how fast, and how often its state is saved."""

    steps: PositiveInt = 10_000
    batch_size: PositiveInt = 256
    learning_rate: float = Field(default=1e-3, gt=0)  # the highest, after the warm-up; AdamW's
    warmup: float = Field(default=0.05, ge=0, le=1)  # share of the steps in which the learning rate rises from 0
    weight_decay: float = Field(default=0.01, ge=0)  # of matrices and kernels only
    beta2: float = Field(default=0.98, ge=0, lt=1)  # decay of the second moment
    clip_norm: float = Field(default=1.0, gt=0)  # of the whole gradient: a longer one is shortened to it
    average: float | None = Field(default=0.999, gt=0, lt=1)  # decay of the average of weights that is kept; or none
    snapshot: SnapshotSettings = SnapshotSettings()
    seed: int = Field(default=0, ge=0)
    precision: Precision = "auto"
    device: str | None = None  # as torch names it; default: a GPU when there is one

    def decisive(self) -> dict[str, Any]:
        """What decides the weights: two runs that agree in it are the same run."""
        return self.model_dump(mode="json", exclude={"snapshot", "device"})
