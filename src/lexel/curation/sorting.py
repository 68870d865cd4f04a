"""Photos into a folder for each label, as copies or links. Nothing is overwritten and no photo is moved.

The same call again goes on where one was cut off: what is there already, with the same content, is left.
"""

import errno
import hashlib
import os
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lexel.curation.labelling import Labelled
from lexel.curation.present import searched_photos
from lexel.curation.sidecars import SkippedFile
from lexel.errors import DataError, UsageError
from lexel.files import UNFINISHED, make_folder
from lexel.library.disk.present import why_absent
from lexel.library.store.records import Photo
from lexel.progress import track

if TYPE_CHECKING:
    from lexel.library.library import Library

OTHER_FOLDER = "other"
How = Literal["copy", "link"]
STOPPING_ERRORS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
}  # not of one photo: what is there is whole, and a rerun goes on
_UNFIT_FOR_NAMES = re.compile(r'[/\\:*?"<>|\x00-\x1f]+')  # what some file system does not take


@dataclass
class Sorted:
    """What a sorting did, or would do."""

    folders: Counter[str] = field(default_factory=Counter)  # photos by folder, those that were there already too
    new: int = 0
    there: int = 0  # already
    left: int = 0  # that no label fits
    absent: list[SkippedFile] = field(default_factory=list)  # not on the disk as the library knows them
    problems: list[SkippedFile] = field(default_factory=list)


def sort_photos(
    library: "Library",
    given: Sequence[Labelled],
    into: Path,
    labels: Sequence[str],
    *,
    how: How = "copy",
    leave: bool = False,
    dry_run: bool = False,
) -> Sorted:
    """Put each photo into the folder of the first label that it was given, one without into "other".

    With `leave` those without stay where they are; a `dry_run` only counts. Each photo is looked at on the disk first:
    one that is gone, or has changed since it was labelled, is left out and named in `absent`. Raises UsageError when
    two labels would be one folder.
    """
    folders = folder_names(labels, leave)
    if not dry_run:
        make_folder(into)
    chosen: dict[int, str] = {}
    for one in given:
        chosen.setdefault(one.id, folders[one.label])
    done = Sorted()
    photos = searched_photos(library)
    for photo in photos if dry_run else track(photos, "Sorting", library.vectors.count):
        absence = why_absent(photo)
        if absence:
            done.absent.append(SkippedFile(photo.shown, absence))
            continue
        folder = chosen.get(photo.id)
        if folder is None and leave:
            done.left += 1
            continue
        if _put(photo, into / (folder or OTHER_FOLDER), how, dry_run, done):
            done.folders[folder or OTHER_FOLDER] += 1
    return done


def folder_names(labels: Sequence[str], leave: bool = False) -> dict[str, str]:
    """The folder of each label: the label, less what no file system takes. Raises UsageError when two are the same."""
    names = {label: _UNFIT_FOR_NAMES.sub("-", label).strip(" .") or "-" for label in labels}
    taken = Counter(name.casefold() for name in names.values()) + Counter([] if leave else [OTHER_FOLDER])
    for label, name in names.items():
        if taken[name.casefold()] > 1:
            raise UsageError(f'The label "{label}" would share the folder "{name}" with another. Give it another name.')
    return names


def _put(photo: Photo, folder: Path, how: How, dry_run: bool, done: Sorted) -> bool:
    """Whether the photo lies, or would lie, in the folder now."""
    name = Path(photo.name)
    targets = folder / name, folder / f"{name.stem}-{photo.id}{name.suffix}"
    try:
        if any(_is_it(target, photo) for target in targets):
            done.there += 1
            return True
        free = next((target for target in targets if not os.path.lexists(target)), None)
        if free is None:
            done.problems.append(SkippedFile(photo.shown, f"both its names are taken in {folder}"))
            return False
        if not dry_run:
            make_folder(folder)
            free.symlink_to(photo.path) if how == "link" else _copy(photo, free)
        done.new += 1
        return True
    except OSError as error:
        if error.errno in STOPPING_ERRORS:
            raise
        done.problems.append(SkippedFile(photo.shown, error.strerror or str(error)))
    except DataError as error:
        done.problems.append(SkippedFile(photo.shown, str(error)))
    return False


def _is_it(target: Path, photo: Photo) -> bool:
    """Whether this photo lies there already."""
    if target.is_symlink():
        return str(target.readlink()) == photo.path
    return target.is_file() and target.stat().st_size == photo.size and _digest(target) == photo.hash


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _copy(photo: Photo, target: Path) -> None:
    temporary = target.with_name(f".{target.name}.{os.getpid()}{UNFINISHED}")
    try:
        shutil.copy2(photo.path, temporary)
        if _digest(temporary) != photo.hash:
            raise DataError("its content is not the one that was indexed, so it was not copied")
        try:
            os.link(temporary, target)  # unlike a rename it takes nobody's place
        except OSError as error:  # a file system without hard links
            if isinstance(error, FileExistsError) or os.path.lexists(target):
                raise
            temporary.rename(target)
    finally:
        temporary.unlink(missing_ok=True)
