"""Learning rate over the run: linear warm-up, then half a cosine (Loshchilov and Hutter 2017)."""

import math

from pydantic import Field

from lexel.config import Config


class Schedule(Config):
    """Both ends as shares, so that a recipe keeps its shape when its length changes."""

    warmup: float = Field(default=0.05, ge=0, le=1)  # share of the steps in which the learning rate rises from 0
    final: float = Field(default=0.0, ge=0, le=1)  # what the learning rate falls towards, as a share of the highest

    def factor(self, step: int, steps: int) -> float:
        """What the learning rate is multiplied by in step `step` of 0 … `steps` − 1; in 0..1."""
        warmup_steps = round(self.warmup * steps)
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        progress = (step - warmup_steps) / max(1, steps - warmup_steps)
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * progress)) / 2
