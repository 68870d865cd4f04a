"""Which caption fits an image best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lexel.calibration import Strength, strength
from lexel.errors import UsageError
from lexel.evaluation.matching import match_of
from lexel.unit_vectors import check_finite

if TYPE_CHECKING:
    import numpy as np

    from lexel.encoder import Encoder
    from lexel.encoder_inputs import ImageLike


@dataclass(frozen=True, slots=True)
class JudgedText:
    """A text beside an image: which of the texts it is, and whether it fits at all."""

    text: str
    probability: float  # among the texts given; for a sigmoid-loss model on its own
    match: float  # probability that image and text belong together, whatever the other texts are

    @property
    def strength(self) -> Strength:
        """The match in a word."""
        return strength(self.match)


def rank_captions(encoder: Encoder, image: ImageLike, captions: Sequence[str]) -> list[tuple[str, float]]:
    """The captions with their probabilities for this image, best first.

    The probabilities sum to one over these captions, so they only compare them; those of a sigmoid-loss model stand
    each for itself. Raises UsageError for an empty caption, BadImageError.

    Example:
        lexel.rank_captions(encoder, "dog.jpg", ["a dog on a beach", "a cat on a sofa"])
    """
    return [(judged.text, judged.probability) for judged in judge_captions(encoder, image, captions)]


def judge_captions(encoder: Encoder, image: ImageLike, captions: Sequence[str]) -> list[JudgedText]:
    """Like `rank_captions`, and how well each caption fits on its own."""
    check_captions(captions)
    return _judge(encoder, encoder.embed_images([image]), captions)[0]


def judge_each(
    encoder: Encoder, images: Sequence[ImageLike], captions: Sequence[str]
) -> tuple[dict[int, list[JudgedText]], dict[int, str]]:
    """`judge_captions` by index for the images that can be read, and the reason by index for those that cannot."""
    check_captions(captions)
    vectors, kept, bad = encoder.embed_readable(images)
    check_finite(vectors, [f"image {index + 1}" for index in kept], encoder.name)
    return dict(zip(kept.tolist(), _judge(encoder, vectors, captions), strict=True)), dict(bad)


def _judge(encoder: Encoder, images: np.ndarray, captions: Sequence[str]) -> list[list[JudgedText]]:
    """For each of the embedded images (N, D) the captions, best first."""
    if not len(images):
        return []
    cosines = images @ encoder.embed_texts(captions).T
    chances, matches = encoder.probabilities_of(cosines), match_of(encoder, images, cosines)
    return [
        sorted(
            (JudgedText(c, float(p), float(m)) for c, p, m in zip(captions, *row, strict=True)),
            key=lambda text: -text.probability,
        )
        for row in zip(chances, matches, strict=True)
    ]


def check_captions(captions: Sequence[str]) -> None:
    """Raise UsageError when there are no captions, or one is empty."""
    if not captions:
        raise UsageError("No captions were given: there is nothing to rank.")
    for number, caption in enumerate(captions, start=1):
        if isinstance(caption, str) and not caption.strip():
            raise UsageError(f"Caption {number} of {len(captions)} is empty: it says nothing that could fit.")
