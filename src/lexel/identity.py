"""Digests and states by which files and weights are recognised again.

What these functions return is stored (in model folders, caches and plans), so the bytes that they hash must not change.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, as 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_weights(weights: Mapping[str, np.ndarray]) -> str:
    """The SHA-256 of the safetensors file that would hold these arrays, as 64 hex digits.

    The file is never made: the header and then each array are hashed in the order in which safetensors writes them, so
    no second copy of the model is held in memory.
    """
    from safetensors.numpy import save

    empty = {name: np.empty(0, array.dtype) for name, array in weights.items()}
    written = save(empty)  # tells the order of the arrays and the names of their dtypes
    header: dict[str, dict[str, object]] = json.loads(written[8 : 8 + int.from_bytes(written[:8], "little")])
    start = 0
    for name, facts in header.items():
        end = start + weights[name].nbytes
        facts |= {"shape": list(weights[name].shape), "data_offsets": [start, end]}
        start = end
    encoded = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    encoded += b" " * (-len(encoded) % 8)
    digest = hashlib.sha256(len(encoded).to_bytes(8, "little") + encoded)
    for name in header:
        digest.update(np.ascontiguousarray(weights[name]).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def file_state(path: Path) -> str:
    """Size in bytes and time of change in nanoseconds, as "SIZE TIME": a file is taken as the same while it is equal.

    Raises FileNotFoundError where there is no such file.
    """
    state = path.stat()
    return f"{state.st_size} {state.st_mtime_ns}"
