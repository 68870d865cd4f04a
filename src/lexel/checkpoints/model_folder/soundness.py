"""Whether a model can be right at all: sizes within reason, numbers that are finite, towers that are not all zeros.

One NaN in a tower makes every embedding NaN, and rankings of those look like any other ranking. Each tensor is looked
at once when a model is loaded: 0.16 s for the 151 million numbers of a ViT-B/32, a tenth of what hashing them takes.
"""

from collections.abc import Mapping

import numpy as np
from pydantic import BaseModel

from lexel.errors import ModelError

# By bytes in a number: the unsigned integers of that size, all bits but the sign, and the bits of infinity. The larger
# the magnitude of a number, the larger its bits, and those of NaN are larger than those of infinity.
_BITS = {
    2: (np.uint16, 0x7FFF, 0x7C00),
    4: (np.uint32, 0x7FFF_FFFF, 0x7F80_0000),
    8: (np.uint64, 0x7FFF_FFFF_FFFF_FFFF, 0x7FF0_0000_0000_0000),
}
# By the last word of a field's name; any other whole number is at most MAX_SIZE.
MAX_LAYERS, MAX_SIDE, MAX_SIZE = 1024, 65_536, 100_000_000
_MOST = {
    "depth": MAX_LAYERS, "depths": MAX_LAYERS, "layers": MAX_LAYERS, "blocks": MAX_LAYERS, "length": MAX_SIDE,
    "size": MAX_SIDE, "width": MAX_SIDE, "hidden": MAX_SIDE * 4, "heads": MAX_SIDE, "embedding": MAX_SIDE,
    "vocabulary_size": MAX_SIZE, "vocab_size": MAX_SIZE,
}  # fmt: skip
_BLOCK = 1 << 16  # numbers, few enough for a core's cache
_TOWERS = ("image", "text")
_ADVICE = "Training may have diverged, or the file was damaged: take an earlier checkpoint, or fetch it again."


def check_sizes(config: BaseModel, where: str) -> None:
    """Raise ModelError where an architecture has a size that no machine could build; `where` names its file."""
    _check_sizes(config.model_dump(), "", where)


def _check_sizes(value: object, name: str, where: str) -> None:
    if isinstance(value, Mapping):
        for key, part in value.items():
            _check_sizes(part, str(key), where)
    elif isinstance(value, list | tuple):
        for part in value:
            _check_sizes(part, name, where)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        most = _MOST.get(name) or _MOST.get(name.rpartition("_")[2]) or MAX_SIZE
        if abs(value) > most:
            raise ModelError(f"{where} asks for {name} {value:,}; {most:,} is the most that Lexel builds.")


def check_finite(name: str, array: np.ndarray, where: str) -> None:
    """Raise ModelError where the array (float16, float32 or float64) holds a number that is not finite.

    `where` names the file, and `name` the tensor in it.
    """
    if array.dtype.kind != "f" or not array.size:
        return
    unsigned, magnitude, infinity = _BITS[array.dtype.itemsize]
    bits = array.ravel(order="K").view(unsigned)
    for start in range(0, bits.size, _BLOCK):
        if (bits[start : start + _BLOCK] & unsigned(magnitude)).max() >= infinity:
            bad = int((~np.isfinite(array)).sum())
            raise ModelError(
                f"{where}: the tensor {name} holds {bad:,} of {array.size:,} numbers that are not finite (NaN or "
                f"infinity).\n  {_ADVICE}"
            )


def check_not_zero(weights: Mapping[str, np.ndarray], where: str) -> None:
    """Raise ModelError where all of a tower is zeros, or its projection, so that every embedding would be nothing.

    `weights` have Lexel's names; one-dimensional ones do not count, as biases and gains are often alike.
    """
    for tower in _TOWERS:
        matrices = {name: array for name, array in weights.items() if name.startswith(f"{tower}.") and array.ndim > 1}
        if matrices and not any(array.any() for array in matrices.values()):
            raise ModelError(f"{where}: the weights of the {tower} tower are all zero. {_ADVICE}")
        for name, array in matrices.items():
            if name.startswith(f"{tower}.projection.") and not array.any():
                raise ModelError(f"{where}: the tensor {name} is all zeros, and so would every embedding be. {_ADVICE}")


def check_weights(weights: Mapping[str, np.ndarray], where: str) -> None:
    """Both checks on a whole model under Lexel's names; the first fault raises ModelError."""
    for name, array in weights.items():
        check_finite(name, array, where)
    check_not_zero(weights, where)
