"""The pairs of many shards as one sequence: each is made when it is asked for, from the shard's mapped index."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lexel.data.pairs import MadePairs, Pair, ShardImage
from lexel.data.shards.index import ShardIndex, load_index, sidecar_path
from lexel.data.shards.samples import OWN_FIELDS, PAIR_KEY, Fields, json_object
from lexel.errors import DataError


@dataclass(frozen=True)
class Shard:
    """A tar and its index. Sent to another process it takes the index's name along and not its content."""

    tar: Path  # plain
    prefix: str  # of its keys
    fields: Fields
    stored: Path | None  # where its index lies; None: it could not be written
    index: ShardIndex

    def __reduce__(self) -> tuple[Any, ...]:
        if self.stored is None:
            return Shard, (self.tar, self.prefix, self.fields, None, self.index)
        return _reopen, (self.tar, self.prefix, self.fields, self.stored)

    def pair(self, row: int, keep_fields: bool) -> Pair:
        start, size = self.index.image(row)
        # A key of the pair's own is unique in its folder, one of WebDataset's in its shard.
        prefix = self.prefix.rpartition("/")[0] if self.index.facts["own_keys"] else self.prefix
        key = self.index.key(row)
        return Pair(
            f"{prefix}/{key}" if prefix else key,
            ShardImage(self.tar, start, size),
            self.index.captions(row),
            self.index.label(row),
            self._extras(row) if keep_fields else None,
            self.index.caption_weights(row),
        )

    def _extras(self, row: int) -> Mapping[str, Any]:
        """The fields of the `.json`, but for those that packing has added."""
        start, size = self.index.json(row)
        stored = json_object(ShardImage(self.tar, start, size).content()) if size else {}
        own = OWN_FIELDS if PAIR_KEY in stored else ()
        return {name: value for name, value in stored.items() if name not in own}


class ShardPairs(MadePairs):
    """The pairs of these shards, one shard after the other."""

    def __init__(self, shards: Sequence[Shard], keep_fields: bool = False) -> None:
        self.shards = tuple(shards)
        self.keep_fields = keep_fields  # of the .json in `Pair.extras`

    @cached_property
    def shard_ends(self) -> np.ndarray:
        """(S,) int64: the row after the last of each shard."""
        return np.cumsum([len(shard.index) for shard in self.shards], dtype=np.int64)

    @cached_property
    def _ends(self) -> list[int]:
        return self.shard_ends.tolist()

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def _pair(self, row: int) -> Pair:
        number = bisect_right(self._ends, row)
        return self.shards[number].pair(row - (self._ends[number - 1] if number else 0), self.keep_fields)


def _reopen(tar: Path, prefix: str, fields: Fields, stored: Path) -> Shard:
    index = load_index(stored, tar, sidecar_fields(stored, tar, fields))
    if index is None:
        raise DataError(f"{tar} has changed since it was read.")
    return Shard(tar, prefix, fields, stored, index)


def sidecar_fields(stored: Path, tar: Path, fields: Fields) -> str:
    """What an index file says of the fields it was read with: one beside its shard was read with the usual ones."""
    return str(Fields()) if stored == sidecar_path(tar) else str(fields)
