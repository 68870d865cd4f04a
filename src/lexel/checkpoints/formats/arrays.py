"""Arrays as files store them, with the one number format that NumPy lacks.

bfloat16 is the upper half of a float32. It is carried as a dtype with a single field of that name, so that an array
says what it was stored as; widening it to float32 and narrowing it again gives the same bits.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

BFLOAT16 = np.dtype([("bfloat16", "<u2")])
# Names in safetensors files ↔ dtypes here.
SAFETENSORS: dict[str, np.dtype] = {
    "F64": np.dtype("<f8"), "F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": BFLOAT16,
    "I64": np.dtype("<i8"), "I32": np.dtype("<i4"), "I16": np.dtype("<i2"), "I8": np.dtype("i1"),
    "U8": np.dtype("u1"), "BOOL": np.dtype("?"),
}  # fmt: skip


def number_format(array: np.ndarray) -> str:
    """What the numbers are stored as, such as "float16" or "bfloat16"."""
    return "bfloat16" if array.dtype == BFLOAT16 else str(array.dtype)


def widen(array: np.ndarray) -> np.ndarray:
    """bfloat16 as float32; anything else as it is."""
    if array.dtype != BFLOAT16:
        return array
    return (array["bfloat16"].astype(np.uint32) << 16).view(np.float32)


def narrow(array: np.ndarray) -> np.ndarray:
    """float32 as bfloat16, rounded to the nearest; exact for what was widened from it."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) >> 16
    rounded = np.where(np.isnan(array), bits >> 16, rounded)
    return rounded.astype(np.uint16).view(BFLOAT16)


def write_safetensors(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as they are, bfloat16 included, as a file that PyTorch's libraries take for one of their own."""
    formats = {dtype: name for name, dtype in SAFETENSORS.items()}
    arrays = dict(sorted(arrays.items(), key=lambda item: (-item[1].itemsize, item[0])))  # so that all are aligned
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        header[name] = {"dtype": formats[array.dtype], "shape": array.shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in arrays.values():
            file.write(np.ascontiguousarray(array).data)
