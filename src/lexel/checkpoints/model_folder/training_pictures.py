"""The pictures that a model has learned from, as a set of hashes: `training-pictures.safetensors` in a model folder.

With it `lexel evaluate` warns when a model is measured on pictures that it has learned from. Of each picture 8 bytes
are kept (`data/picture_hash.py`), so a million pictures take 8 MB. The file never grows beyond 16.8 MB: of more than
MAX_HASHES pictures those with the lowest hashes are kept. Hashes are as good as random numbers, so these are a random
sample, and the same picture is in it or not wherever it is looked for.

The file reveals nothing of a picture to somebody who does not have that picture. A model works without it.
"""

from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from lexel.errors import ModelError
from lexel.files import write_atomically
from lexel.safetensors_bytes import safetensors_bytes

FORMAT = "1"
MAX_HASHES = 2**21
ALL_HASHES = 2**64  # the hash of every picture is below it


@dataclass(frozen=True, eq=False)
class TrainingPictures:
    """A set of hashes. Those of `limit` and above are not recorded, where there are too many pictures."""

    hashes: np.ndarray  # (K,) uint64, ascending, each once
    limit: int = ALL_HASHES

    @classmethod
    def of(cls, hashes: np.ndarray) -> "TrainingPictures":
        """The set of these hashes, (N,) uint64 in any order, which may occur several times."""
        return _bounded(np.unique(hashes), ALL_HASHES)

    def __len__(self) -> int:
        return len(self.hashes)

    def __or__(self, other: "TrainingPictures") -> "TrainingPictures":
        limit = min(self.limit, other.limit)
        return _bounded(np.union1d(_below(self.hashes, limit), _below(other.hashes, limit)), limit)

    @property
    def pictures(self) -> int:
        """How many pictures the model has learned from; estimated where not all are recorded."""
        return round(len(self.hashes) * ALL_HASHES / self.limit)

    def recorded(self, hashes: np.ndarray) -> np.ndarray:
        """Those of the hashes, (N,) uint64, of which the set knows whether they are in it."""
        return _below(hashes, self.limit)

    def contains(self, hashes: np.ndarray) -> np.ndarray:
        """(N,) bool for (N,) uint64 hashes; False for those that are not recorded."""
        at = np.searchsorted(self.hashes, hashes)
        at[at == len(self.hashes)] = 0
        return self.hashes[at] == hashes if len(self.hashes) else np.zeros(len(hashes), bool)

    def save(self, path: Path, weights: str = "") -> None:
        """Write the set whole or not at all. `weights` is the SHA-256 of the weights that were learned from it."""
        facts = {"format": FORMAT, "weights": weights, "limit": str(self.limit)}
        write_atomically(path, safetensors_bytes({"hashes": self.hashes}, facts))


NO_PICTURES = TrainingPictures(np.empty(0, np.uint64))


def union(sets: list[TrainingPictures]) -> TrainingPictures:
    """All pictures of the sets."""
    return reduce(TrainingPictures.__or__, sets, NO_PICTURES)


def read_training_pictures(path: Path, weights: str = "") -> TrainingPictures:
    """The set in a file. Raises ModelError when it is damaged, or of other weights than those with this SHA-256."""
    way_out = "Copy it again from where the model comes from, or delete it: the model works without."
    try:
        with safe_open(path, framework="numpy") as file:
            facts = file.metadata() or {}
            hashes = file.get_tensor("hashes")
        limit = int(facts["limit"])
        whole = hashes.dtype == np.uint64 and hashes.ndim == 1 and bool((hashes[1:] > hashes[:-1]).all())
        if facts["format"] != FORMAT or "weights" not in facts or not whole or not 0 < limit <= ALL_HASHES:
            raise ValueError("it is not of a format that this Lexel reads")
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path} cannot be read: {error}. {way_out}") from None
    if facts["weights"] != weights:
        raise ModelError(f"{path} belongs to another model. {way_out}")
    return TrainingPictures(hashes, limit)


def _bounded(hashes: np.ndarray, limit: int) -> TrainingPictures:
    """The set of ascending hashes, without the highest where there are too many."""
    if len(hashes) <= MAX_HASHES:
        return TrainingPictures(hashes, limit)
    return TrainingPictures(hashes[:MAX_HASHES].copy(), int(hashes[MAX_HASHES]))


def _below(hashes: np.ndarray, limit: int) -> np.ndarray:
    return hashes if limit == ALL_HASHES else hashes[hashes < np.uint64(limit)]
