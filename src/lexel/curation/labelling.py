"""Zero-shot labels for a library's photos: the user names them now, and no model was
trained on them. `label_writing` puts them where they go.

A label is given where it fits, not merely where it fits better than the others: a photo that shows none of them gets
none. A calibrated model says how likely a match is when one photo in ten shows what a label says; for another model a
label has to fit a photo well above texts that say little (see `strength`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from lexel.calibration import POSSIBLE, STRONG, Strength
from lexel.curation.present import blocks_among, present_ids
from lexel.evaluation.classifier import label_embeddings
from lexel.evaluation.matching import generic_of
from lexel.evaluation.texts.labels import check_labels
from lexel.evaluation.texts.prompts import PromptsLike, read_prompts
from lexel.evaluation.texts.wording import WordingLike
from lexel.library.search.model_check import say_if_model_tells_nothing
from lexel.library.search.strength import in_words, matches, sample_of

if TYPE_CHECKING:
    from lexel.library.library import Library

LABEL_PRIOR = 0.1  # share of the photos that are assumed to show what a label says

Least = Literal["strong", "possible", "any"]
LEAST_MATCH: dict[Least, float] = {"strong": STRONG, "possible": POSSIBLE, "any": 0.0}  # probabilities


@dataclass(frozen=True, slots=True)
class Labelled:
    """A label that a photo is given."""

    id: int
    label: str
    cosine: float
    match: float  # probability
    strength: Strength


def label_photos(
    library: "Library",
    labels: list[str],
    templates: PromptsLike = "photo",
    *,
    wording: WordingLike | None = None,
    least: Least = "possible",
    several: bool = False,
    among: np.ndarray | None = None,
) -> list[Labelled]:
    """The label that fits each photo best, or with `several` each that fits, where it fits at least so well.

    In the order of the photos, of one photo the best first. `least` "any" takes the best label however badly it fits.
    `wording` says what the labels are called or look like. `among` are the ids of the photos to look at; by default
    those that are on the disk now, and a note names the others. Raises UsageError for wrong labels.

    Example: `[one.label for one in label_photos(library, ["dog", "cat"])]`
    """
    check_labels(labels)
    encoder = library.encoder
    say_if_model_tells_nothing(library)
    prompts = read_prompts(templates, wording)
    prompts.unsaid(labels)  # refuses words for other labels
    texts = label_embeddings(encoder, labels, prompts)
    generic = None
    if encoder.calibration is None:
        generic = generic_of(encoder, sample_of(library.vectors, library.vectors.ids))
    given: list[Labelled] = []
    for ids, vectors in blocks_among(library.vectors, present_ids(library) if among is None else among):
        cosines = vectors @ texts.T  # (n, L)
        chances = matches(cosines, vectors, encoder.calibration, generic, prior=LABEL_PRIOR)
        if chances is not None:  # None of an empty library
            given += _labels_of(ids, cosines, chances, labels, least, several)
    return given


def _labels_of(
    ids: np.ndarray, cosines: np.ndarray, chances: np.ndarray, labels: list[str], least: Least, several: bool
) -> Iterator[Labelled]:
    """The labels that photos (n,) get, from their cosines and probabilities (n, L) with the labels."""
    order = np.argsort(-cosines, axis=1, kind="stable")
    for row, id in enumerate(ids.tolist()):
        fitting = [column for column in order[row].tolist() if chances[row, column] >= LEAST_MATCH[least]]
        for column in fitting if several else fitting[:1]:
            chance = float(chances[row, column])
            yield Labelled(id, labels[column], float(cosines[row, column]), chance, in_words(chance) or "unlikely")
