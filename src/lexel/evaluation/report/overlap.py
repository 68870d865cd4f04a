"""How many of the pictures that a model is measured or calibrated on are ones that it has learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lexel.checkpoints.model_folder.training_pictures import TrainingPictures
from lexel.data.pairs import Picture
from lexel.data.picture_hash import hash_of
from lexel.errors import BadImageError

if TYPE_CHECKING:
    from lexel.encoder import Encoder

MEASURED_CONSEQUENCE = (
    "the numbers show in part what it remembers, not what it will do with new pictures. Measure on others."
)
CALIBRATED_CONSEQUENCE = (
    "their captions fit them better than those of new pictures will, so matches of new ones will be judged too weak. "
    "Calibrate on others."
)


@dataclass(frozen=True, slots=True)
class Overlap:
    """Pictures that were looked up among those that the model has learned from, and how many were found there."""

    judged: int
    known: int


def training_overlap(encoder: Encoder, pictures: Sequence[Picture]) -> Overlap | None:
    """Count the pictures whose file, byte for byte, the model has learned from.

    None where the model does not know what it has learned from, as models of other libraries. Of a model that has
    learned from more than two million pictures only a random sample can be looked up: `judged` says how many.
    """
    learned = encoder.training_pictures
    return None if learned is None else overlap_with(learned, pictures)


def overlap_with(learned: TrainingPictures, pictures: Sequence[Picture]) -> Overlap:
    """Count the pictures that are among those `learned` from, where that is recorded."""
    hashes = []
    for picture in pictures:
        try:
            hashes.append(hash_of(picture))
        except BadImageError:  # gone since it was embedded
            continue
    recorded = learned.recorded(np.array(hashes, np.uint64))
    return Overlap(judged=len(recorded), known=int(learned.contains(recorded).sum()))


def about_overlap(encoder: Encoder, pictures: Sequence[Picture], consequence: str = MEASURED_CONSEQUENCE) -> list[str]:
    """The sentence that warns of pictures that the model has learned from, if there are any, and the `consequence`."""
    overlap = training_overlap(encoder, pictures)
    if overlap is None or not overlap.known:
        return []
    judged = "pictures" if overlap.judged == len(pictures) else "pictures that could be looked up"
    return [
        f"{overlap.known:,} of the {overlap.judged:,} {judged} are ones that the model has learned from: {consequence}"
    ]
