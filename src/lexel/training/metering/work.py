"""How much a step computes: tokens and model FLOPs.

Model FLOPs are those that the mathematics of a step needs: forward and backward, three times the forward pass as
counted by `lexel.architectures.cost` for the real lengths of the captions and the pictures as large as they were. What
is computed twice to save memory (checkpointing, the gradient cache), the loss and the optimizer do not count.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from torch import Tensor, nn

from lexel.architectures.cost import TRAINING, image_operations, text_operations
from lexel.data.loader import Batch
from lexel.models.clip import CLIP
from lexel.models.layers.packing import first_end


@dataclass(frozen=True, slots=True)
class Work:
    """What a step computes on the rows of one process."""

    tokens: int | None  # of captions, without padding; None where they were embedded before
    flops: int | None  # None where a tower is another library's, whose cost is not known

    def __add__(self, other: "Work") -> "Work":
        """The work of both; of what one of them does not know, nothing is known."""
        return Work(_sum(self.tokens, other.tokens), _sum(self.flops, other.flops))


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


class WorkCounter:
    """Counts what the towers of `clip` compute."""

    def __init__(self, clip: CLIP) -> None:
        self._clip = clip
        self._of_image: Callable[[int, float], int | None] = cache(partial(image_operations, clip.config))
        self._of_caption: Callable[[int], int | None] = cache(partial(text_operations, clip.config))

    def count(self, batch: Batch, patch_dropout: float) -> Work:
        """The work of a step on `batch` that leaves out this share of each picture's patches.

        What a frozen tower has embedded before costs nothing; one that learns nothing costs its forward pass.
        """
        lengths = None if batch.ids is None else caption_lengths(batch.ids, self._clip.config.text.end_of_text)
        return Work(None if lengths is None else sum(lengths), self._flops(batch, lengths, patch_dropout))

    def _flops(self, batch: Batch, lengths: list[int] | None, patch_dropout: float) -> int | None:
        total = 0
        if batch.pixels is not None:
            if (one := self._of_image(batch.pixels.shape[-1], patch_dropout)) is None:
                return None
            total += forward_passes(self._clip.image) * len(batch.pixels) * one
        for length, count in Counter(lengths).items():
            if (one := self._of_caption(length)) is None:
                return None
            total += forward_passes(self._clip.text) * count * one
        return total


def forward_passes(tower: nn.Module) -> int:
    """How many times the cost of its forward pass a step spends on `tower`."""
    return TRAINING if any(parameter.requires_grad for parameter in tower.parameters()) else 1


def caption_lengths(ids: Tensor, end_of_text: int) -> list[int]:
    """Tokens of each caption (b, T) up to its first end-of-text; of the whole row where there is none."""
    return (first_end(ids, end_of_text) + 1).clamp(max=ids.shape[1]).tolist()
