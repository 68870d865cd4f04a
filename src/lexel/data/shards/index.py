"""The index of one shard: where each sample lies and what is said of it, as arrays that are mapped from a file.

No Python object is held for a sample. The file is in the safetensors format; it lies beside the shard as
`0000.tar.index`, where `lexel data prepare` wrote it, or else in Lexel's cache folder. It belongs to a shard of the
same size whose time of change, or whose content at sixteen places, is the same.
"""

import hashlib
import json
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lexel.data.texts import Texts
from lexel.files import cache_folder, write_atomically

SIDECAR_SUFFIX = ".index"
VERSION = 1
DIGEST_PLACES = 16
DIGEST_BYTES = 4096  # that are read at each place

_DTYPES = {"I64": np.int64, "I32": np.int32, "U8": np.uint8, "F64": np.float64}


@dataclass(frozen=True, slots=True)
class ShardIndex:
    """What is known of a shard. Rows are its samples, in the order in which they begin in the tar."""

    arrays: Mapping[str, np.ndarray]
    facts: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.arrays["image_at"])

    def key(self, row: int) -> str:
        return Texts(self.arrays["keys"], self.arrays["key_ends"])[row]

    def captions(self, row: int) -> tuple[str, ...]:
        until = self.arrays["captions_until"]
        texts = Texts(self.arrays["captions"], self.arrays["caption_ends"])
        return tuple(texts[number] for number in range(int(until[row - 1]) if row else 0, int(until[row])))

    def caption_weights(self, row: int) -> tuple[float, ...]:
        """Of its captions; none where they are equal."""
        if "caption_weights" not in self.arrays:
            return ()
        until = self.arrays["captions_until"]
        weights = self.arrays["caption_weights"][int(until[row - 1]) if row else 0 : int(until[row])]
        return () if np.isnan(weights).any() else tuple(weights.tolist())

    def label(self, row: int) -> str | None:
        code = int(self.arrays["labels"][row])
        return None if code < 0 else self.facts["labels"][code]

    def image(self, row: int) -> tuple[int, int]:
        """Where in the tar its picture begins, and its bytes."""
        return int(self.arrays["image_at"][row]), int(self.arrays["image_size"][row])

    def json(self, row: int) -> tuple[int, int]:
        """Where its .json begins, and its bytes; none where it has no such member."""
        return int(self.arrays["json_at"][row]), int(self.arrays["json_size"][row])


def index_path(shard: Path, fields: str) -> Path:
    """Where the index of somebody else's shard lies, read with these fields."""
    name = hashlib.blake2b(f"{shard.absolute()}\0{fields}".encode("utf-8", "surrogatepass"), digest_size=16)
    return cache_folder() / "shards" / f"{name.hexdigest()}{SIDECAR_SUFFIX}"


def sidecar_path(shard: Path) -> Path:
    return shard.with_name(shard.name + SIDECAR_SUFFIX)


def load_index(path: Path, shard: Path, fields: str) -> ShardIndex | None:
    """The index in the file, if it is whole and belongs to the shard as it is now; else None."""
    index = _read(path)
    if index is None or index.facts.get("version") != VERSION or index.facts.get("fields") != fields:
        return None
    state = shard.stat()
    if index.facts["size"] != state.st_size:
        return None
    if index.facts["time"] != state.st_mtime_ns and index.facts["digest"] != digest_of(shard):
        return None
    return index


def save_index(path: Path, index: ShardIndex) -> None:
    """Write the index whole. Raises OSError."""
    from safetensors.numpy import save

    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {name: np.ascontiguousarray(array) for name, array in index.arrays.items()}
    write_atomically(path, save(arrays, metadata={"facts": json.dumps(index.facts)}))


def digest_of(shard: Path) -> str:
    """A hash of the shard's size and of its content at places spread over it."""
    size = shard.stat().st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    with shard.open("rb") as file:
        for place in range(DIGEST_PLACES):
            file.seek(max(0, size - DIGEST_BYTES) * place // (DIGEST_PLACES - 1))
            digest.update(file.read(DIGEST_BYTES))
    return digest.hexdigest()


def _read(path: Path) -> ShardIndex | None:
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            size = os.fstat(file.fileno()).st_size
            if not 0 < length <= size - 8:
                return None
            header = json.loads(file.read(length))
            content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))[8 + length :]
        facts = json.loads(header.pop("__metadata__")["facts"])
        arrays = {}
        for name, entry in header.items():
            start, stop = entry["data_offsets"]
            arrays[name] = np.frombuffer(content[start:stop], _DTYPES[entry["dtype"]])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None  # it is made again
    whole = ("image_at", "image_size", "json_at", "json_size", "keys", "key_ends", "captions", "caption_ends")
    if any(name not in arrays for name in (*whole, "captions_until", "labels")):
        return None
    return ShardIndex(arrays, facts)
