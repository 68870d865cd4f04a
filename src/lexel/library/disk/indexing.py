"""Bringing a library up to date: files are read, hashed, decoded and embedded, and committed in chunks.

A chunk takes the Encoder a few seconds; it is committed while the next one is embedded. A library whose process is
killed at any instant has whole chunks, and the next call finds the rest.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from itertools import islice
from typing import Self

import numpy as np

from lexel.batches import ahead
from lexel.encoder import Encoder
from lexel.library.disk.captions import read_text_beside
from lexel.library.disk.changes_on_disk import DiskChanges, KnownFile, doubtful_roots, has_left, is_removed, root_away
from lexel.library.disk.file_picture import Claims, FilePicture, ReadingRules
from lexel.library.disk.photo_facts import read_facts
from lexel.library.store.changes import Changes, PhotoFacts
from lexel.library.store.database.paths import is_below, readable
from lexel.library.store.records import STORED_DTYPE, Records
from lexel.progress import track
from lexel.terminal import counted
from lexel.unit_vectors import check_finite

SECONDS_PER_CHUNK = 3.0  # that are aimed at
MIN_CHUNK, MAX_CHUNK = 32, 512  # files
MIN_FILES_FOR_PROGRESS = 64


@dataclass
class Added:
    """What has changed when a library was brought up to date, counted in files."""

    new: int = 0
    changed: int = 0  # other pictures at known paths
    moved: int = 0
    vanished: int = 0
    unchanged: int = 0
    unreadable: list[tuple[str, str]] = field(default_factory=list)  # (path, reason) of what failed now
    notes: list[str] = field(default_factory=list)  # to be said to the user
    embedded: int = 0  # pictures that went through the towers

    def __add__(self, other: Self) -> Self:
        return replace(self, **{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self)})

    @property
    def read(self) -> int:
        """How many photos are new, changed or moved."""
        return self.new + self.changed + self.moved


class Indexing:
    """Brings the records up to date with what `compare_with_disk` found, once."""

    def __init__(self, records: Records, encoder: Encoder, disk: DiskChanges) -> None:
        self.records = records
        self.encoder = encoder
        self.disk = disk
        self.added = Added(unchanged=disk.unchanged)
        self.ids: list[int] = []  # of the photos that are new, changed or moved
        at_least = None if encoder.exact else encoder.preprocessing.image_size
        self._reading = ReadingRules(Claims(records), at_least, encoder.preprocessing.convention, threading.Event())
        self._rows = {file.path: row for file, row in disk.to_read if row is not None}
        self._taken = {row.id for row in self._rows.values()}  # photos that have a file, if not the one that they had
        self._waiting: list[FilePicture] = []  # for a copy that is being embedded
        self._broken: dict[bytes, str] = {}  # contents that are no pictures
        self._copies_of_away: Counter[str] = Counter()  # new photos whose content a folder has that is not there now
        self._chunk = MIN_CHUNK

    def run(self) -> Added:
        """Read what is to be read, then write down what has vanished or come back."""
        with self.records.changing() as changes:  # first, or a copy elsewhere would pass for a photo that has moved
            changes.mark_found(self.disk.found)
        self.added.new += len(self.disk.found)
        todo = sorted((file for file, _ in self.disk.to_read), key=lambda file: file.path)
        while todo:
            pictures = [self._picture(file.path, file.text) for file in todo]
            done = self._committed(pictures)
            for _ in track(done, "Indexing", len(pictures)) if len(pictures) >= MIN_FILES_FOR_PROGRESS else done:
                pass
            again = {picture.path for picture in self._waiting}  # the copy that they waited for could not be read
            todo, self._waiting = [file for file in todo if file.path in again], []
        self._read_facts()
        self._finish()
        return self.added

    def _picture(self, path: str, text: int) -> FilePicture:
        return FilePicture(path, self._reading, text=text)

    def _committed(self, pictures: Sequence[FilePicture]) -> Iterator[FilePicture]:
        """Each picture when it is in the records."""
        with ThreadPoolExecutor(1) as tower:
            try:
                for done in ahead(tower, self._embed, self._cut(pictures), 2):
                    chunk, vectors = done.result()
                    self._commit(chunk, vectors)
                    yield from chunk
            finally:  # cut off: what is under way ends at the next picture
                self._reading.stop.set()
                tower.shutdown(cancel_futures=True)
                self._reading.stop.clear()

    def _cut(self, pictures: Sequence[FilePicture]) -> Iterator[list[FilePicture]]:
        rest = iter(pictures)
        while chunk := list(islice(rest, self._chunk)):
            yield chunk

    def _embed(self, chunk: list[FilePicture]) -> tuple[list[FilePicture], dict[FilePicture, np.ndarray]]:
        began = time.monotonic()
        vectors, kept, bad = self.encoder.embed_readable(chunk, None)
        check_finite(vectors, [readable(chunk[index].path) for index in kept], self.encoder.name)
        for index, reason in bad:
            if chunk[index].state == "decoded":  # but not to be fitted to the towers
                chunk[index].state, chunk[index].reason = "broken", reason
        rate = len(chunk) / max(time.monotonic() - began, 1e-3)
        self._chunk = int(min(MAX_CHUNK, max(MIN_CHUNK, rate * SECONDS_PER_CHUNK)))
        return chunk, dict(zip((chunk[index] for index in kept), vectors, strict=True))

    def _commit(self, chunk: list[FilePicture], vectors: dict[FilePicture, np.ndarray]) -> None:
        waiting, self._waiting = self._waiting, []
        with self.records.changing() as changes:
            if vectors and not self.records.dimensions:
                changes.set_fact("dimensions", len(next(iter(vectors.values()))))
            for picture in chunk:
                if picture.state == "decoded":
                    vector = vectors[picture].astype(STORED_DTYPE).tobytes()
                    self._store(changes, picture, changes.add_content(picture.digest, picture.thumbnail, vector))
                    self.added.embedded += 1
                elif picture.state == "broken":
                    self._broken[picture.digest] = picture.reason
            for picture in [*waiting, *chunk]:
                self._settle(changes, picture)
        for picture in chunk:  # only now can others see them
            if picture.state in ("decoded", "broken"):
                self._reading.claims.release(picture.digest)

    def _settle(self, changes: Changes, picture: FilePicture) -> None:
        """Write down what came of a picture that gave no pixels."""
        if picture.state == "known" and picture.digest in self._broken:
            picture.state, picture.reason = "broken", self._broken[picture.digest]
        if picture.state == "known":
            content = changes.content(picture.digest)
            if content is None:
                self._waiting.append(picture)
            else:
                self._store(changes, picture, content)
        elif picture.state == "broken":
            changes.mark_unreadable(picture.path, picture.file, picture.reason)
            self._lose(changes, picture)
            self.added.unreadable.append((picture.path, picture.reason))
        elif picture.state == "unread":
            changes.mark_unreadable(picture.path, None, picture.reason)
            self.added.unreadable.append((picture.path, picture.reason))
        elif picture.state == "gone":
            self._lose(changes, picture)

    def _store(self, changes: Changes, picture: FilePicture, content: int) -> None:
        row = self._rows.get(picture.path)
        if picture.path in self.disk.was_unreadable:
            changes.forget_unreadable([picture.path])
        if row is not None and row.content == content and not row.missing:
            changes.touch_file(row.id, picture.file)
            self.added.unchanged += 1
            return
        id = self._change(changes, picture, content, row)
        self.ids.append(id)
        if picture.text and (row is None or row.caption_stamp not in (-1, picture.text)):
            changes.set_caption(id, read_text_beside(picture.path), picture.text)

    def _change(self, changes: Changes, picture: FilePicture, content: int, row: KnownFile | None) -> int:
        if row is not None:
            changes.change_file(row.id, picture.file, content, picture.facts)
            self.added.changed += row.content != content
            self.added.new += row.content == content
            return row.id
        for id, path, missing in changes.with_content(content):
            if id not in self._taken and (missing or has_left(self.disk, path, picture.path)):
                changes.move_file(id, picture.path, picture.file)
                self.disk.vanished.pop(id, None)
                self.added.moved += 1
                return id
            if not missing and (root := root_away(self.disk, path)) is not None:
                self._copies_of_away[root] += 1
                break
        self.added.new += 1
        return changes.add_file(picture.path, picture.file, content, picture.facts)

    def _lose(self, changes: Changes, picture: FilePicture) -> None:
        row = self._rows.get(picture.path)
        if row is not None:
            self.added.vanished += changes.mark_missing([row.id])

    def _finish(self) -> None:
        disk = self.disk
        self._keep_doubtful()
        for root, count in self._copies_of_away.items():
            self.added.notes.append(
                f"{count:,} of the new photos are also in {readable(root)}, which is not there now. If it is the same "
                f"folder, make each pair one again: lexel library relocate {self.records.folder} {readable(root)} NEW"
            )
        with self.records.changing() as changes:
            changes.mark_missing(disk.excluded)
            self.added.vanished += changes.mark_missing(disk.vanished)
            changes.forget_unreadable(disk.gone_unreadable)
            for id, file in disk.captions:
                changes.set_caption(id, read_text_beside(file.path) if file.text else None, file.text)
            for mount in disk.mounts:
                changes.add_place(mount, "mount")
            for root in disk.roots:
                if self.added.moved and is_removed(disk, root) and not changes.below(root):
                    changes.forget_place(root)
            changes.drop_orphans()

    def _read_facts(self) -> None:
        """Read the facts of files that an older Lexel has not read them from. Only headers are read."""
        rest = iter(self.disk.no_facts)
        with ThreadPoolExecutor() as readers:
            while chunk := list(islice(rest, MAX_CHUNK)):
                found = list(readers.map(_facts_of, (path for _, path in chunk)))
                with self.records.changing() as changes:
                    for (id, _), facts in zip(chunk, found, strict=True):
                        if facts is not None and facts.width:
                            changes.set_facts(id, facts)

    def _keep_doubtful(self) -> None:
        """Mark nothing as vanished in a root that stands as empty as a mount point; say so."""
        for root in doubtful_roots(self.disk):
            kept = [id for id, path in self.disk.vanished.items() if is_below(path, root)]
            for id in kept:
                del self.disk.vanished[id]
            self.added.notes.append(
                f"{readable(root)}: not there are {len(kept):,} of {counted(self.disk.root_counts[root], 'photo')}; "
                "none was marked as vanished, for a drive may not be mounted.\n"
                f"If they are gone for good, confirm it: lexel index {self.records.folder} --vanished. "
                f"If the folder lies elsewhere now: lexel library relocate {self.records.folder} {readable(root)} NEW"
            )


def _facts_of(path: str) -> PhotoFacts | None:
    """None where the file cannot be read now."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe in its place would block for ever
        with open(descriptor, "rb") as file:
            return read_facts(file)
    except OSError:
        return None
