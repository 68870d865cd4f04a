"""Where labels go: the library's tags, XMP side-cars beside the pictures, or a CSV.

Tags and side-cars are only added to, and every change is noted in the library, so that it can be taken back
(`label_removal`).
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from lexel.curation.labelling import Labelled
from lexel.curation.sidecars import SidecarEdit, SkippedFile, carry_out, edit_adding, sidecar_of
from lexel.files import write_atomically
from lexel.library.disk.present import why_absent
from lexel.library.store.label_history import ADDED, LabelHistory, SidecarChange
from lexel.library.store.records import Photo, Records
from lexel.progress import track

SIDECARS_AT_ONCE = 256  # noted in one transaction, then written
Planned = tuple[int, SidecarEdit]  # a photo's id, and what is to become of its side-car


def write_tags(records: Records, given: Sequence[Labelled]) -> int:
    """Add the labels to the photos' tags, whose others stay; how many photos have got a tag that they had not."""
    return LabelHistory(records).add_tags(_by_photo(given), "labels as tags")


def write_csv(path: Path, records: Records, given: Sequence[Labelled]) -> None:
    """A row for each label of each photo: path, label, cosine, match, strength. Raises OSError."""
    photos = {photo.id: photo for photo in records.photos(_by_photo(given))}
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["path", "label", "cosine", "match", "strength"])
    for one in given:
        writer.writerow([photos[one.id].shown, one.label, f"{one.cosine:.4f}", f"{one.match:.4f}", one.strength])
    write_atomically(path, text.getvalue())


def write_sidecars(records: Records, given: Sequence[Labelled]) -> tuple[int, list[SkippedFile]]:
    """Add the labels to the XMP side-car of each photo; how many were written, and what could not be.

    A photo that is not on the disk now, or has changed since it was labelled, gets no side-car.
    """
    history = LabelHistory(records)
    labels = _by_photo(given)
    number = history.begin("labels in side-cars")
    written, skipped = 0, []
    photos = track(records.photos(labels), "Writing side-cars")
    try:
        for some in _groups_of_distinct_sidecars(photos):
            planned, not_possible = _plan(some, labels)
            done, not_done = edit_sidecars(history, number, planned, ADDED)
            written += done
            skipped += [*not_possible, *not_done]
    finally:
        history.forget_if_empty(number)
    return written, skipped


def edit_sidecars(
    history: LabelHistory, number: int, planned: Sequence[Planned], change: int
) -> tuple[int, list[SkippedFile]]:
    """Record the edits as part of a labelling and carry them out; how many were done, and the files left alone."""
    noted = history.note_sidecars(number, _changes(planned, change))
    skipped: list[SkippedFile] = []
    left_alone: set[str] = set()
    for _, edit in planned:
        failure = carry_out(edit)
        if failure is not None:
            skipped.append(failure)
            left_alone.add(str(edit.path))
    if left_alone:
        history.forget_sidecars(one for one in noted if one.sidecar in left_alone)
    return len(planned) - len(skipped), skipped


def _groups_of_distinct_sidecars(photos: Iterable[Photo]) -> Iterator[list[Photo]]:
    """The photos in groups of at most SIDECARS_AT_ONCE; no two of a group share a side-car."""
    group: dict[Path, Photo] = {}
    for photo in photos:
        path = sidecar_of(photo.path)
        if path in group or len(group) == SIDECARS_AT_ONCE:
            yield list(group.values())
            group = {}
        group[path] = photo
    if group:
        yield list(group.values())


def _plan(photos: Sequence[Photo], labels: Mapping[int, Sequence[str]]) -> tuple[list[Planned], list[SkippedFile]]:
    planned, skipped = [], []
    for photo in photos:
        absence = why_absent(photo)
        if absence:
            skipped.append(SkippedFile(photo.shown, f"the photo is {absence}"))
            continue
        edit = edit_adding(photo.path, labels[photo.id])
        if isinstance(edit, SkippedFile):
            skipped.append(edit)
        elif edit:
            planned.append((photo.id, edit))
    return planned, skipped


def _changes(planned: Sequence[Planned], change: int) -> Iterator[SidecarChange]:
    for photo, edit in planned:
        for word in edit.words:
            yield SidecarChange(photo, str(edit.path), word, change)


def _by_photo(given: Sequence[Labelled]) -> dict[int, list[str]]:
    labels: dict[int, list[str]] = {}
    for one in given:
        labels.setdefault(one.id, []).append(one.label)
    return labels
