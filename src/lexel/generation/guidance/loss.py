"""The loss of pictures: how far a CLIP, looking at random views of them, is from seeing what is wanted."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional as F

from lexel.encoder import Encoder
from lexel.errors import UsageError
from lexel.generation.guidance.descent import GuidanceSettings
from lexel.generation.guidance.goals import Goal, needs_start
from lexel.generation.guidance.views import draw_homographies, normalised, views_of
from lexel.models.clip import CLIP


class GuidanceLoss:
    """Call it with pictures (B, 3, S, S) in 0..1 and the share of the way that is done: the mean loss of all goals.

    Each call draws other views, from `seed`. For a change, the same views of `first`, the pictures at the start, are
    embedded beside them. Use it within `frozen(clip)`.
    """

    def __init__(
        self,
        encoder: Encoder,
        goals: Sequence[Goal],
        settings: GuidanceSettings,
        seed: int,
        first: Tensor,
    ) -> None:
        self.clip = encoder.clip
        self.preprocessing = encoder.preprocessing
        self.goals = goals
        self.settings = settings
        self.first = self._as_model(first)
        self._random = torch.Generator().manual_seed(seed)

    def __call__(self, images: Tensor, share: float) -> Tensor:
        settings = self.settings
        maps = draw_homographies(settings.views, settings.crop, settings.perspective, self._random)
        size = self.preprocessing.image_size
        views = views_of(self._as_model(images), maps, size)
        noise = torch.randn(views.shape, generator=self._random).to(views) * (settings.noise * (1 - share))
        vectors = self._embed(views + noise)
        first = vectors
        if needs_start(self.goals):
            with torch.no_grad():
                first = self._embed(views_of(self.first, maps, size) + noise)
        return torch.stack([goal.loss(vectors, first).mean() for goal in self.goals]).mean()

    def _as_model(self, images: Tensor) -> Tensor:
        """Where the model is, and in its number format, whatever the generator computes in."""
        return images.to(self.clip.logit_scale.device, torch.float32)

    def _embed(self, views: Tensor) -> Tensor:
        pixels = normalised(views, self.preprocessing).contiguous(memory_format=torch.channels_last)
        return F.normalize(self.clip.encode_image(pixels).float(), dim=-1)


def differentiable(encoder: Encoder) -> CLIP:
    """The model's CLIP module. Raises UsageError where it has no gradients."""
    from lexel.runtimes.torch import TorchRuntime

    runtime = encoder.runtime
    if not isinstance(runtime, TorchRuntime):
        raise UsageError(
            f"{encoder.name} is exported, so it gives no gradients to steer by.\n"
            "  Give the model folder that it was exported from; an exported model can be the judge."
        )
    if runtime.number_format != "float32":
        raise UsageError(
            f"{encoder.name} computes in {runtime.number_format}, which gives no gradients to steer by.\n"
            '  Load it in float32: lexel.load(MODEL, number_format="float32").'
        )
    return runtime.clip


@contextmanager
def frozen(clip: CLIP) -> Iterator[None]:
    """Within it the module is in evaluation mode and its weights have no gradients; afterwards all is as before."""
    had = [(parameter, parameter.requires_grad) for parameter in clip.parameters()]
    training = clip.training
    clip.eval().requires_grad_(False)
    try:
        yield
    finally:
        for parameter, wanted in had:
            parameter.requires_grad_(wanted)
        clip.train(training)
