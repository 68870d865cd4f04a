"""A cache of the vectors of recent inputs, keyed by the hash of their content and limited in bytes."""

import hashlib
from collections import OrderedDict
from typing import Literal

import numpy as np

Kind = Literal["text", "image"]
ENTRY_OVERHEAD = 320  # bytes of Python objects around a vector, measured


def content_key(kind: Kind, content: str | bytes) -> bytes:
    """The key of an input: 16 bytes, a hash of its kind and content."""
    data = content.encode() if isinstance(content, str) else content
    return hashlib.blake2b(data, digest_size=16, person=kind.encode()).digest()


class VectorCache:
    """A least-recently-used cache: the entry that was unused for longest is dropped first."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._vectors: OrderedDict[bytes, np.ndarray] = OrderedDict()

    def __len__(self) -> int:
        return len(self._vectors)

    def get(self, key: bytes) -> np.ndarray | None:
        """The vector (D,), or None if it is not in the cache."""
        vector = self._vectors.get(key)
        if vector is not None:
            self._vectors.move_to_end(key)
        return vector

    def put(self, key: bytes, vector: np.ndarray) -> None:
        """Remember a vector (D,), a copy: a row of a batch would keep the whole batch."""
        if key in self._vectors:
            return
        self.bytes += vector.nbytes + ENTRY_OVERHEAD
        self._vectors[key] = vector.copy()
        while self.bytes > self.max_bytes and self._vectors:
            _, dropped = self._vectors.popitem(last=False)
            self.bytes -= dropped.nbytes + ENTRY_OVERHEAD
