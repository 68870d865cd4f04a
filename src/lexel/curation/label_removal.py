"""Taking labels back: the last labelling of a library as a whole, or one tag wherever it is.

From side-cars only those keywords are taken that Lexel has put there; what other programs wrote stays. A removed tag is
a labelling too, so that undoing brings it back.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lexel.curation.label_writing import Planned, edit_sidecars
from lexel.curation.sidecars import (
    SidecarEdit,
    SkippedFile,
    carry_out,
    edit_adding_to,
    edit_removing,
    sidecar_of,
)
from lexel.errors import UsageError, did_you_mean
from lexel.library.store.label_history import REMOVED, LabelHistory, Labelling, SidecarChange
from lexel.library.store.records import Records
from lexel.progress import track
from lexel.terminal import counted


@dataclass
class TakenBack:
    """How much a removal or an undoing has changed."""

    tags: int = 0  # photos whose tags in the library are others now
    sidecars: int = 0  # that are others now, or gone
    skipped: list[SkippedFile] = field(default_factory=list)


def remove_tag(records: Records, word: str) -> TakenBack:
    """Remove a tag from all photos of a library, and from the side-cars that have got it from Lexel.

    Raises UsageError when nothing has it.

    Example: `remove_tag(library.records, "dog").tags`
    """
    history = LabelHistory(records)
    _check_known(history, records, word)
    number = history.begin(f'removal of "{word}"')
    try:
        done = TakenBack(tags=history.remove_tag(word, number))
        planned, done.skipped = _plan_removal(records, history.sidecars_with(word))
        done.sidecars, failed = edit_sidecars(history, number, planned, REMOVED)
        done.skipped += failed
    finally:
        history.forget_if_empty(number)
    return done


def undo_last(records: Records) -> tuple[Labelling, TakenBack]:
    """Undo the last labelling; a second call undoes the one before it.

    Cut off, the same call goes on. Side-cars that cannot be changed stay noted, so that the same call tries them again;
    one that comes to nothing forgets them. Raises UsageError when there is nothing to undo.

    Example: `labelling, done = undo_last(library.records)`
    """
    history = LabelHistory(records)
    labelling = history.last()
    if labelling is None:
        raise UsageError(f"Nothing has been labelled in {records.folder}, so there is nothing to undo.")
    done = TakenBack()
    settled: list[SidecarChange] = []
    for same in track(_by_sidecar(history.sidecars_of(labelling.number)), "Taking back side-cars"):
        outcome = _undo_sidecar(records, same)
        if isinstance(outcome, SkippedFile):
            done.skipped.append(outcome)
        else:
            done.sidecars += int(outcome)
            settled += same
    done.tags = history.undo_tags(labelling.number)
    if not (done.tags or done.sidecars):  # tried before: what cannot be changed must not bar what came earlier
        settled = history.sidecars_of(labelling.number)
    history.forget_sidecars(settled)
    history.forget_if_empty(labelling.number)
    return labelling, done


def _check_known(history: LabelHistory, records: Records, word: str) -> None:
    tags = history.tags()
    if word in tags or history.sidecars_with(word):
        return
    if count := history.count_labelled_by_source(word):
        raise UsageError(
            f'"{word}" is no tag: {counted(count, "photo has", "photos have")} it as the label of the table or folder '
            "that was added.\nChange it there, then: lexel index " + str(records.folder)
        )
    raise UsageError(f'No photo of {records.folder} has the tag "{word}".{did_you_mean(word, tags)}')


def _plan_removal(records: Records, changes: Iterable[SidecarChange]) -> tuple[list[Planned], list[SkippedFile]]:
    planned, skipped = [], []
    for one in changes:
        edit = edit_removing(_path_now(records, one), [one.word])
        if isinstance(edit, SkippedFile):
            skipped.append(edit)
        elif edit:
            planned.append((one.photo, edit))
    return planned, skipped


def _by_sidecar(changes: Sequence[SidecarChange]) -> list[list[SidecarChange]]:
    found: dict[str, list[SidecarChange]] = {}
    for one in changes:
        found.setdefault(one.sidecar, []).append(one)
    return list(found.values())


def _undo_sidecar(records: Records, changes: Sequence[SidecarChange]) -> bool | SkippedFile:
    """Take back what one labelling did to one side-car; whether it had to be written, or why it could not be."""
    path = _path_now(records, changes[0])
    written = False
    for edit in _inverse(path, changes):
        failure = edit if isinstance(edit, SkippedFile) else carry_out(edit)
        if failure is not None:
            return failure
        written = True
    return written


def _inverse(path: Path, changes: Sequence[SidecarChange]) -> Iterator[SidecarEdit | SkippedFile]:
    added = [one.word for one in changes if one.change != REMOVED]
    removed = [one.word for one in changes if one.change == REMOVED]
    if added and (edit := edit_removing(path, added)):
        yield edit
    if removed and (edit := edit_adding_to(path, removed)):
        yield edit


def _path_now(records: Records, change: SidecarChange) -> Path:
    """The side-car that was noted or, where it is gone, that of the photo where it lies now."""
    noted = Path(change.sidecar)
    if noted.exists():
        return noted
    try:
        moved = sidecar_of(records.photo(change.photo).path)
    except UsageError:  # the photo has been removed from the library
        return noted
    return moved if moved.exists() else noted
