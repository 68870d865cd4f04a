"""Tags for a library's photos, by labels named only now, and where they are written.

A label is given where it fits, not merely where it fits better than the others: a photo that shows none of them gets
none. A calibrated model says how likely a match is when one photo in ten shows what a label says; for another model a
label has to fit a photo well above texts that say little (see `strength`).
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from lexel.calibration import POSSIBLE, STRONG, Strength
from lexel.curation.present import blocks_among, present_ids
from lexel.curation.sidecars import Problem, add_to_sidecar
from lexel.evaluation.classifier import label_embeddings
from lexel.evaluation.labels import check_labels
from lexel.files import write_atomically
from lexel.library.disk.present import why_absent
from lexel.library.search.strength import generic_of, in_words, matches, sample_of
from lexel.library.store.records import Photo, Records
from lexel.progress import track

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
    templates: str | Sequence[str] = "photo",
    *,
    least: Least = "possible",
    several: bool = False,
    among: np.ndarray | None = None,
) -> list[Labelled]:
    """The label that fits each photo best, or with `several` each that fits, where it fits at least so well.

    In the order of the photos, of one photo the best first. `least` "any" takes the best label however badly it fits.
    `among` are the ids of the photos to look at; by default those that are on the disk now, and a note names the
    others. Raises UsageError for wrong labels.

    Example: `[one.label for one in label_photos(library, ["dog", "cat"])]`
    """
    check_labels(labels)
    encoder = library.encoder
    texts = label_embeddings(encoder, labels, templates)
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
    """What photos (n,) get, of their cosines and probabilities (n, L) with the labels."""
    order = np.argsort(-cosines, axis=1, kind="stable")
    for row, id in enumerate(ids.tolist()):
        fitting = [column for column in order[row].tolist() if chances[row, column] >= LEAST_MATCH[least]]
        for column in fitting if several else fitting[:1]:
            chance = float(chances[row, column])
            yield Labelled(id, labels[column], float(cosines[row, column]), chance, in_words(chance) or "unlikely")


def write_tags(records: Records, given: Sequence[Labelled]) -> int:
    """Add the labels to the photos' tags, whose others stay; how many photos have got a tag that they had not."""
    own = {id: (json.loads(tags), label) for id, tags, label in records.rows("SELECT id, tags, label FROM files")}
    changed: dict[int, list[str]] = {}
    for one in given:
        tags, label = own[one.id]
        if one.label not in tags and one.label != label:
            tags.append(one.label)
            changed[one.id] = tags
    if changed:
        records.set_tags(dict(changed))
    return len(changed)


def write_csv(path: Path, records: Records, given: Sequence[Labelled]) -> None:
    """A row for each label of each photo: path, label, cosine, match, strength. Raises OSError."""
    photos = _photos(records, given)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["path", "label", "cosine", "match", "strength"])
    for one in given:
        writer.writerow([photos[one.id].shown, one.label, f"{one.cosine:.4f}", f"{one.match:.4f}", one.strength])
    write_atomically(path, text.getvalue())


def write_sidecars(records: Records, given: Sequence[Labelled]) -> tuple[int, list[Problem]]:
    """Add the labels to the XMP side-car of each photo; how many were written, and what could not be.

    A photo that is not on the disk now, or has changed since it was labelled, gets no side-car.
    """
    labels: dict[int, list[str]] = {}
    for one in given:
        labels.setdefault(one.id, []).append(one.label)
    written, problems = 0, []
    for photo in track(records.photos(labels), "Writing side-cars"):
        absence = why_absent(photo)
        if absence:
            problems.append(Problem(photo.shown, f"the photo is {absence}"))
            continue
        outcome = add_to_sidecar(photo.path, labels[photo.id])
        if isinstance(outcome, Problem):
            problems.append(outcome)
        else:
            written += outcome
    return written, problems


def _photos(records: Records, given: Sequence[Labelled]) -> dict[int, Photo]:
    return {photo.id: photo for photo in records.photos({one.id: None for one in given})}
