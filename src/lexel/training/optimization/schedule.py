"""Learning rate over the run: linear warm-up, then half a cosine (Loshchilov and Hutter 2017)."""

import math

from pydantic import Field

from lexel.config import Config


class Schedule(Config):
    """Shares of the steps and of the highest learning rate, so the schedule keeps its shape for any length of run."""

    warmup: float = Field(default=0.05, ge=0, le=1)  # share of the steps in which the learning rate rises from 0
    final: float = Field(default=0.0, ge=0, le=1)  # what the learning rate falls towards, as a share of the highest

    def factor(self, step: int, steps: int) -> float:
        """The factor of the learning rate in step `step` of 0 … `steps` − 1; in 0..1."""
        warmup_steps = round(self.warmup * steps)
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        progress = (step - warmup_steps) / max(1, steps - warmup_steps)
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * progress)) / 2
