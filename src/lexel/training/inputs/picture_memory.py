"""Which pictures a run has learned from: gathered batch by batch, kept in the run folder, and given to the model.

The loader hashes each picture's file as it reads it, so no file is read twice. The set lies in the run folder beside
the snapshots, and is written before them: it may be ahead of the snapshot that a run goes on from, but the same steps
show the same pictures again.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lexel.checkpoints.model_folder.training_pictures import (
    NO_PICTURES,
    TrainingPictures,
    read_training_pictures,
    union,
)
from lexel.data.loader import Batch, TrainingSource
from lexel.data.order import Order
from lexel.data.pairs import Picture
from lexel.data.picture_hash import hash_of
from lexel.errors import BadImageError, ModelError
from lexel.progress import say, track
from lexel.training.distributed.world import World

MAX_UNSORTED = 2**16  # hashes of batches, before those that are known are dropped


class PictureMemory:
    """The hashes of the pictures that the steps have learned from, over all processes and continuations of a run.

    `shown` are the sources that the batches show, each with the order in which its pairs come, `batch_size` a step.
    `embedded` says that a frozen tower has embedded the pictures beforehand, so that no batch reads any.
    """

    def __init__(
        self,
        path: Path,
        world: World,
        shown: Sequence[tuple[Sequence[TrainingSource], Order]],
        batch_size: int,
        *,
        embedded: bool,
    ) -> None:
        self.path = path
        self.world = world
        self.shown = shown
        self.batch_size = batch_size
        self.embedded = embedded
        self._pictures = NO_PICTURES  # that all processes know of
        self._new: list[np.ndarray] = []  # hashes that this process alone has seen
        self._saved = -1  # pictures in the file

    def resume(self, start: int) -> None:
        """Take up what was written before step `start`. Where that is lost, hash the pictures shown until then."""
        if start == 0 or self.embedded:
            return
        try:
            self._pictures = self.world.once(lambda: read_training_pictures(self.path))
        except ModelError:
            self._hash_shown(start)

    def add(self, batch: Batch) -> None:
        """Note the pictures of a batch that a step has learned from."""
        for shown in (batch, batch.remembered):
            if shown is not None and shown.picture_hashes is not None:
                self._new.append(shown.picture_hashes)
        if sum(map(len, self._new)) > MAX_UNSORTED:
            self._new = [self._unknown()]

    def save(self) -> None:
        """Write the set into the run folder, if it has grown. All processes call it, before a snapshot is saved."""
        self._share()
        if not self.world.main or self.embedded or len(self._pictures) == self._saved:
            return
        try:
            self._pictures.save(self.path)
            self._saved = len(self._pictures)
        except OSError as error:  # as for snapshots, a full disk ends no run; what is lost is hashed again if need be
            say(f"{self.path} could not be written ({error}). The run goes on.")
            self.path.unlink(missing_ok=True)

    def all_after(self, steps: int) -> TrainingPictures:
        """The pictures that `steps` steps have learned from, the same on every process, which all call it."""
        if self.embedded:
            self._hash_shown(steps)
        self._share()
        return self._pictures

    def _hash_shown(self, steps: int) -> None:
        """Hash the pictures that the first `steps` steps show, each process its share of them."""
        pictures = [
            source.pairs[index].picture
            for sources, order in self.shown
            for source, of_source in zip(sources, order.shown_before(steps * self.batch_size), strict=True)
            for index in np.flatnonzero(of_source).tolist()
        ]
        mine = self.world.share.of(len(pictures))
        self._new.append(_hashes(pictures[mine.start : mine.stop]))
        self._share()

    def _share(self) -> None:
        """Let every process know of what each has seen."""
        self._pictures = union([self._pictures, *self.world.gather(TrainingPictures.of(self._unknown()))])
        self._new = []

    def _unknown(self) -> np.ndarray:
        """The new hashes that are not in the set yet."""
        new = np.unique(np.concatenate([np.empty(0, np.uint64), *self._new]))
        return new[~self._pictures.contains(new)]


def _hashes(pictures: Sequence[Picture]) -> np.ndarray:
    """(N,) uint64 of those that can be read."""
    hashes = []
    for picture in track(pictures, "Hashing pictures"):
        try:
            hashes.append(hash_of(picture))
        except BadImageError:
            continue
    return np.array(hashes, np.uint64)
