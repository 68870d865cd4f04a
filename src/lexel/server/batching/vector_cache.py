"""The vectors of what was asked lately, by the hash of its content, within a bound of bytes."""

import hashlib
from collections import OrderedDict
from typing import Literal

import numpy as np

Kind = Literal["text", "image"]
ENTRY_OVERHEAD = 320  # bytes of Python objects around a vector, measured


def content_key(kind: Kind, content: str | bytes) -> bytes:
    """What an input is known by: 16 bytes that differ wherever kind or content do."""
    data = content.encode() if isinstance(content, str) else content
    return hashlib.blake2b(data, digest_size=16, person=kind.encode()).digest()


class VectorCache:
    """Forgets what was not asked for longest when there is no room (least recently used)."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._vectors: OrderedDict[bytes, np.ndarray] = OrderedDict()

    def __len__(self) -> int:
        return len(self._vectors)

    def get(self, key: bytes) -> np.ndarray | None:
        """The vector (D,), or None where it is not known."""
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
