"""Which caption fits an image best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lexel.errors import UsageError

if TYPE_CHECKING:
    from lexel.encoder import Encoder


def rank_captions(encoder: Encoder, image: Any, captions: Sequence[str]) -> list[tuple[str, float]]:
    """The captions with their probabilities for this image, best first.

    The probabilities sum to one over these captions; those of a sigmoid-loss model stand each for itself.
    """
    if not captions:
        raise UsageError("No captions were given: there is nothing to rank.")
    chances = encoder.probabilities([image], captions)[0].tolist()
    return sorted(zip(captions, chances, strict=True), key=lambda ranked: -ranked[1])
