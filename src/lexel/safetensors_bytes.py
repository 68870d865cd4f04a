"""Arrays as the bytes of a safetensors file, whatever their layout in memory."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np


def safetensors_bytes(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> bytes:
    """The content of a safetensors file with these arrays.

    `safetensors.numpy.save` writes the memory of an array as it lies and its shape as it is seen: of a transposed or
    sliced array that is another array. Here every array is laid out by its shape first.
    """
    from safetensors.numpy import save

    laid_out = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    return save(laid_out, dict(metadata) if metadata is not None else None)


def safetensors_head(shapes: Mapping[str, tuple[np.dtype, tuple[int, ...]]]) -> tuple[bytes, dict[str, int]]:
    """The beginning of the safetensors file that would hold arrays of these (dtype, shape), and the byte at which each
    array begins, in their order in the file."""
    from safetensors.numpy import save

    written = save({name: np.empty(0, dtype) for name, (dtype, _) in shapes.items()})  # tells their order and dtypes
    header: dict[str, dict[str, object]] = json.loads(written[8 : 8 + int.from_bytes(written[:8], "little")])
    starts, end = {}, 0
    for name, facts in header.items():
        dtype, shape = shapes[name]
        starts[name], end = end, end + dtype.itemsize * math.prod(shape)
        facts |= {"shape": list(shape), "data_offsets": [starts[name], end]}
    encoded = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    encoded += b" " * (-len(encoded) % 8)
    head = len(encoded).to_bytes(8, "little") + encoded
    return head, {name: len(head) + start for name, start in starts.items()}


def write_safetensors_in_turn(
    path: Path, shapes: Mapping[str, tuple[np.dtype, tuple[int, ...]]], arrays: Iterable[tuple[str, np.ndarray]]
) -> None:
    """Write the file that `safetensors_bytes` would give of arrays of these (dtype, shape), one in memory at a time."""
    head, starts = safetensors_head(shapes)
    with open(path, "wb") as file:
        file.write(head)
        for name, array in arrays:
            file.seek(starts[name])
            file.write(np.ascontiguousarray(array).data)
