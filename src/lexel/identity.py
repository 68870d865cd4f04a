"""Digests and states by which files and weights are recognised again.

What these functions return is stored (in model folders, caches and plans), so the bytes that they hash must not change.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lexel.safetensors_bytes import safetensors_head


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, as 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_weights(weights: Mapping[str, np.ndarray]) -> str:
    """The SHA-256 of the safetensors file that would hold these arrays, as 64 hex digits.

    The file is never made: the header and then each array are hashed in the order in which safetensors writes them, so
    no second copy of the model is held in memory.
    """
    head, starts = safetensors_head({name: (array.dtype, array.shape) for name, array in weights.items()})
    digest = hashlib.sha256(head)
    for name in starts:
        digest.update(np.ascontiguousarray(weights[name]).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def file_state(path: Path) -> str:
    """Size in bytes and time of change in nanoseconds, as "SIZE TIME": a file is taken as the same while it is equal.

    Raises FileNotFoundError where there is no such file.
    """
    state = path.stat()
    return f"{state.st_size} {state.st_mtime_ns}"
