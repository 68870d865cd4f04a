"""Pictures that are there more than once: the same content, or nearly the same picture.

Near ones are nearest neighbours by embedding whose thumbnails agree too. An embedding says what is seen, so that to
many a model all beaches are one; pixels alone mistake one grey sky for another. The likeness is the lesser of both.
Everything in a group is like the one that is kept, not merely like a neighbour: a series never chains together what
differs.

Nothing is deleted here, but what is listed may be deleted by its reader. So each file of a group is looked at on the
disk first: one that is absent or has changed is no copy, exact copies are hashed again, and a file that has several
names (hard links, symbolic links, folders mounted twice) is one file and never its own copy.
"""

import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lexel.data.near_copies import DisjointSets, stars
from lexel.data.picture_print import picture_print, print_likeness, unit_prints
from lexel.errors import UsageError
from lexel.library.disk.present import why_absent
from lexel.library.disk.same_file import Mounts, NamedFile, group_names, look_behind
from lexel.library.index.codes import MAX_SCANNED_VECTORS
from lexel.library.pages.picture_page import PictureSection, photo_cell, write_page
from lexel.library.store.contents import files_by_content
from lexel.library.store.records import Photo, Records
from lexel.progress import say, track
from lexel.terminal import counted

if TYPE_CHECKING:
    from lexel.library.library import Library

DEFAULT_LIKENESS = 0.95
FIRST_NEIGHBOURS = 16  # looked at first; more of a photo that has as many near ones
MAX_NEIGHBOURS = 64  # neighbours of one photo; further ones are reached through these
PHOTOS_PER_BLOCK = 256  # photos whose neighbours are sought at a time
GROUPS_ON_PAGE = 500  # groups on a page


@dataclass(frozen=True, slots=True)
class Duplicates:
    """One picture that is there more than once."""

    keep: Photo  # of most pixels, then bytes, then the oldest
    others: tuple[Photo, ...]
    likeness: tuple[float, ...]  # of each of the others to `keep`; 1 of an exact copy

    @property
    def exact(self) -> bool:
        """Whether all are the same file content."""
        return all(other.hash == self.keep.hash for other in self.others)


def find_duplicates(library: "Library", threshold: float = DEFAULT_LIKENESS) -> list[Duplicates]:
    """Groups of exact and near copies that are on the disk now, the largest first. Needs no model.

    Photos that are absent or changed, and further names of the same file, are left out; a note says how many.
    Raises UsageError for a wrong threshold.

    Example: `for group in find_duplicates(library): print(group.keep.path, [other.path for other in group.others])`
    """
    if not 0.5 <= threshold <= 1:
        raise UsageError(f"A likeness goes from 0.5 to 1 (exact copies only), not {threshold}.")
    files = files_by_content(library.records)
    contents = {ids[0]: ids for ids in files.values()}  # by the first file of each
    components = DisjointSets(contents)
    prints = _Prints(library.records)
    if threshold < 1:
        for a, b in _neighbours(library, np.array(sorted(contents), np.int64), threshold):
            if components.root(a) != components.root(b) and prints.likeness(a, [b])[0] >= threshold:
                components.join(a, b)
    groups, disk = [], _OnDisk()
    for members in components.sets():
        if len(members) > 1 or len(contents[members[0]]) > 1:
            groups += _stars(library, members, contents, prints, threshold, disk)
    for note in disk.notes(library):
        say(note)
    return sorted(groups, key=lambda group: (-len(group.others), group.keep.id))


def write_duplicates(path: Path, groups: list[Duplicates], records: Records) -> None:
    """The groups as a page. Raises OSError."""
    sections = []
    for number, group in enumerate(groups[:GROUPS_ON_PAGE], start=1):
        cells = [photo_cell(group.keep, records.thumbnail(group.keep.id), group.keep.shown, "keep", kept=True)]
        for other, likeness in zip(group.others, group.likeness, strict=True):
            said = "the same content" if other.hash == group.keep.hash else f"likeness {likeness:.3f}"
            cells.append(photo_cell(other, records.thumbnail(other.id), other.shown, said))
        sections.append(
            PictureSection(
                f"{number}. {counted(len(cells), 'file')}", "exact copies" if group.exact else "near copies", cells
            )
        )
    more = f" The first {GROUPS_ON_PAGE} are shown." if len(groups) > GROUPS_ON_PAGE else ""
    write_page(path, "Duplicates", f"{summary(groups)} Nothing has been deleted.{more}", sections)


def summary(groups: list[Duplicates]) -> str:
    """A summary of the groups in a sentence."""
    others = [other for group in groups for other in group.others]
    if not groups:
        return "No duplicates found."
    exact = sum(group.exact for group in groups)
    size = sum(other.size for other in others)
    pictures = counted(len(groups), "picture is", "pictures are")
    surplus = counted(len(others), "file")
    return (
        f"{pictures} there more than once ({exact:,} as exact copies only): {surplus} too many, {size / 1e6:,.1f} MB."
    )


def _neighbours(library: "Library", ids: np.ndarray, threshold: float) -> Iterator[tuple[int, int]]:
    """Pairs of these photos with a cosine from the threshold on, each once; a few may be missed in a huge library."""
    vectors = library.vectors
    allowed = None if len(ids) == vectors.count else ids
    in_part = len(ids) > MAX_SCANNED_VECTORS
    blocks = [ids[start : start + PHOTOS_PER_BLOCK] for start in range(0, len(ids), PHOTOS_PER_BLOCK)]
    for block in track(blocks, f"Comparing photos, in blocks of {PHOTOS_PER_BLOCK}") if len(blocks) > 8 else blocks:
        depth = min(FIRST_NEIGHBOURS, len(ids))
        while len(block):
            scores, found = vectors.search(vectors.vectors_of(block), depth, allowed, approximate=in_part)
            unfinished = (scores[:, -1] >= threshold) & (depth < min(MAX_NEIGHBOURS, len(ids)))
            near = (scores >= threshold) & ~unfinished[:, None]
            for row, column in zip(*np.nonzero(near), strict=True):
                if block[row] != found[row, column]:
                    yield int(block[row]), int(found[row, column])
            block, depth = block[unfinished], min(4 * depth, MAX_NEIGHBOURS, len(ids))


def _stars(
    library: "Library",
    members: list[int],
    contents: dict[int, list[int]],
    prints: "_Prints",
    threshold: float,
    disk: "_OnDisk",
) -> list[Duplicates]:
    """The members of a component as groups around the one that is kept."""
    known = {photo.id: photo for photo in library.records.photos(id for one in members for id in contents[one])}
    copies = {one: [known[id] for id in contents[one]] for one in members}
    photos, linked = disk.distinct_files(copies)
    files = {one: [id for id in contents[one] if id in photos] for one in members}

    def preference(id: int) -> tuple[int, ...]:
        return int(id not in linked), *_preference(photos[id])

    waiting = sorted((one for one in members if files[one]), key=lambda one: min(map(preference, files[one])))
    vectors = dict(zip(waiting, library.vectors.vectors_of(np.array(waiting, np.int64)), strict=True))

    def alike(centre: int, rest: Sequence[int]) -> np.ndarray:
        cosines = np.stack([vectors[one] for one in rest]) @ vectors[centre]
        return np.minimum(cosines, prints.likeness(centre, rest))

    groups = []
    for star in stars(waiting, alike, threshold):
        likeness_of = dict.fromkeys(files[star.centre], 1.0)
        for one, found in zip(star.others, star.likeness, strict=True):
            likeness_of |= dict.fromkeys(files[one], found)
        keep, *others = sorted(likeness_of, key=preference)
        others = [id for id in others if id not in linked]  # or a link would lead nowhere
        if others:
            groups.append(
                Duplicates(photos[keep], tuple(photos[id] for id in others), tuple(likeness_of[id] for id in others))
            )
    return groups


def _preference(photo: Photo) -> tuple[int, int, int, int]:
    return -photo.width * photo.height, -photo.size, photo.mtime_ns, photo.id


@dataclass
class _OnDisk:
    """Looks at the files of groups, and counts what is left out."""

    absent: int = 0
    names: int = 0
    mounts: Mounts = field(default_factory=Mounts.read)

    def distinct_files(self, copies: dict[int, list[Photo]]) -> tuple[dict[int, Photo], set[int]]:
        """The photos that are there, one for each file; and the ids of those that a symbolic link leads to.

        `copies` are photos of the same content each; where there are several, their contents are read.
        """
        there: list[Photo] = []
        files: list[NamedFile] = []
        for photos in copies.values():
            for photo in photos:
                file = self._look(photo, hashed=len(photos) > 1)
                if file is not None:
                    there.append(photo)
                    files.append(file)
        found, linked = {}, set()
        for names in group_names(there, files):
            own_names = [photo for photo in names if not os.path.islink(photo.path)]  # noqa: PTH114
            self.names += len(names) - 1 if own_names else len(names)
            if own_names:  # removing a link would not remove the picture
                kept = min(own_names, key=_through_links)
                found[kept.id] = kept
                if len(own_names) < len(names):
                    linked.add(kept.id)
        return found, linked

    def _look(self, photo: Photo, *, hashed: bool) -> NamedFile | None:
        try:
            file = None if why_absent(photo, hashed=hashed) else look_behind(photo.path, self.mounts)
        except OSError:
            file = None
        self.absent += file is None
        return file

    def notes(self, library: "Library") -> list[str]:
        notes = []
        if self.absent:
            subject = counted(self.absent, "photo is", "photos are")
            as_known = "it, so it counts as no copy" if self.absent == 1 else "them, so they count as no copies"
            notes.append(
                f"{subject} not on the disk as the library knows {as_known}.\n"
                f"Bring it up to date: lexel index {library.path}"
            )
        if self.names:
            notes.append(
                f"Not listed: {counted(self.names, 'photo')} whose file may be there only once under several names "
                "(links, folders mounted twice)."
            )
        return notes


def _through_links(photo: Photo) -> tuple[bool, int]:
    return os.path.realpath(photo.path) != photo.path, photo.id


@dataclass
class _Prints:
    """The unit prints of photos, from their thumbnails."""

    records: Records
    known: dict[int, np.ndarray] = field(default_factory=dict)

    def likeness(self, id: int, others: Sequence[int]) -> np.ndarray:
        """Correlations (N,) with the others; the larger of the picture's and its mirror image's."""
        return print_likeness(self._print(id), np.stack([self._print(other) for other in others]))

    def _print(self, id: int) -> np.ndarray:
        if id not in self.known:
            with Image.open(io.BytesIO(self.records.thumbnail(id))) as thumbnail:
                self.known[id] = unit_prints(picture_print(thumbnail.convert("RGB"))[None])[0]
        return self.known[id]
