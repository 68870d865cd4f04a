"""The steps of guidance: Adam on the latents, a schedule, a pull towards the start, and Ctrl-C between two steps."""

import math
from collections.abc import Callable, Sequence

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from lexel.config import Config
from lexel.errors import UsageError
from lexel.generation.guidance.generator import Bounded, Generator, Latent, changeable, checked_images, checked_latents
from lexel.progress import track
from lexel.training.run.interruption import Interruption

WARMUP = 0.05  # share of the steps in which the learning rates rise
LAST_RATE = 0.1  # share of the learning rates at the end


class GuidanceSettings(Config):
    """How a generator is steered."""

    steps: PositiveInt = 300
    views: PositiveInt = 16  # random views of each picture in a step
    crop: float = Field(default=0.7, gt=0, le=1)  # the smallest view's side, as a share of the picture's
    perspective: float = Field(default=0.2, ge=0, lt=0.5)  # how far a view's corners move, of half its side
    noise: NonNegativeFloat = 0.1  # standard deviation of what is added to views at first, falling to 0; pixels in 0..1
    pull: NonNegativeFloat = 0.0  # weight of the squared distance of the latents from their start
    learning_rate: PositiveFloat = 1.0  # times the generator's own


def descend(
    generator: Generator,
    loss: Callable[[Tensor, float], Tensor],
    settings: GuidanceSettings,
    what: str,
    after_step: Callable[[int], None] | None = None,
) -> int:
    """Change the generator's latents so that the loss of its pictures falls. → the steps that were done

    `loss` takes the pictures and the share of the way that is done, 0..1. Fewer steps than asked for were done after
    Ctrl-C or SIGTERM. Raises UsageError where the generator gives no pictures, or no finite gradient.
    """
    latents = checked_latents(generator)
    values = [latent.values for latent in latents]
    rates = [latent.learning_rate * settings.learning_rate for latent in latents]
    starts = [latent.values.detach().clone() for latent in latents]
    optimizer = torch.optim.Adam([{"params": [value], "lr": rate} for value, rate in zip(values, rates, strict=True)])
    done = 0
    with Interruption() as interruption, changeable(values):
        for step in track(range(settings.steps), what):
            if interruption.requested:
                break
            share = step / settings.steps
            total = loss(checked_images(generator, f"at step {step + 1}"), share)
            if settings.pull:
                total = total + settings.pull * distance_from(latents, starts)
            gradients = torch.autograd.grad(total, values, allow_unused=True)
            for group, value, rate, gradient in zip(optimizer.param_groups, values, rates, gradients, strict=True):
                if gradient is not None and not torch.isfinite(gradient).all():
                    raise UsageError(
                        f"At step {step + 1} the gradient of a latent is infinite or not a number.\n"
                        "  Take a smaller learning rate, or begin from another latent."
                    )
                group["lr"] = rate * schedule(share)
                value.grad = gradient
            optimizer.step()
            if isinstance(generator, Bounded):
                generator.settle()
            done = step + 1
            if after_step is not None:
                after_step(done)
    return done


def schedule(share: float) -> float:
    """What the learning rates are multiplied by: rising at first, then falling along a cosine."""
    falling = LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * share)) / 2
    return min(1.0, (share + 0.01) / WARMUP) * falling


def distance_from(latents: Sequence[Latent], starts: Sequence[Tensor]) -> Tensor:
    """The mean squared distance of latents from where they began, in their spreads; the mean over latents."""
    distances = [
        (((latent.values - start) / latent.spread) ** 2).mean() for latent, start in zip(latents, starts, strict=True)
    ]
    return torch.stack(distances).mean()
