"""Tables of names: which of their tensors is which of ours, read in both directions.

A table has a row for each tensor: their name, our name, and what must be done to the one to get the other. In a name,
`*` stands for weight and bias, and `**` for the five tensors of a BatchNorm; pieces that lie end to end in one tensor
here and apart there are joined by ` + `.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lexel.checkpoints.formats.arrays import widen
from lexel.checkpoints.model_folder.soundness import check_finite
from lexel.errors import ModelError

Shape = tuple[int, ...]
# same: as it is, whatever axes of length 1 theirs has in front; one ahead, two ahead: so many when it is written.
# transposed: (D, E) there, (E, D) here. patches: a linear layer on whole patches there, (D, P·P·3), their convolution
# here, (D, 3, P, P).
Form = Literal["same", "one ahead", "two ahead", "transposed", "patches"]
_WILDCARDS = {
    ".**": (".weight", ".bias", ".running_mean", ".running_var", ".num_batches_tracked"),
    "*": ("weight", "bias"),
}
# What some files hold beside weights: counted, masked or set again by whoever builds the towers.
NO_WEIGHTS = {"position_ids", "token_type_ids", "attn_mask", "input_resolution", "context_length", "vocab_size"}


@dataclass(frozen=True)
class TensorRow:
    """Their tensors, end to end, are our tensors, end to end, along the first axis."""

    theirs: tuple[str, ...]
    ours: tuple[str, ...]
    form: Form = "same"

    @property
    def ahead(self) -> Shape:
        """The axes of length 1 that theirs has in front."""
        return {"one ahead": (1,), "two ahead": (1, 1)}.get(self.form, ())

    def wanted(self, shapes: Mapping[str, Shape]) -> Shape:
        """The shape of each of their pieces, given the shapes of ours."""
        first, *rest = shapes[self.ours[0]] or (1,)
        if self.form == "transposed":
            return (*rest[::-1], first)
        if self.form == "patches":
            return (first, math.prod(rest))
        if not shapes[self.ours[0]]:
            return self.ahead
        return (*self.ahead, first * len(self.ours) // len(self.theirs), *rest)


def table(*rows: tuple[str, str] | tuple[str, str, Form]) -> list[TensorRow]:
    """Rows from the names as written, wildcards and all."""
    return [
        expanded
        for theirs, ours, *form in rows
        for expanded in _expand(TensorRow(_split(theirs), _split(ours), form[0] if form else "same"))
    ]


def under(their_prefix: str, our_prefix: str, rows: Iterable[TensorRow]) -> list[TensorRow]:
    """The same rows further down in both models."""
    return [
        TensorRow(
            tuple(their_prefix + name for name in row.theirs),
            tuple(our_prefix + name for name in row.ours),
            row.form,
        )
        for row in rows
    ]


def repeated(count: int, their_prefix: str, our_prefix: str, rows: list[TensorRow]) -> list[TensorRow]:
    """The same rows for each of `count` blocks; in the prefixes, N is the block's number."""
    return [
        row
        for index in range(count)
        for row in under(their_prefix.replace("N", str(index)), our_prefix.replace("N", str(index)), rows)
    ]


def to_ours(
    rows: Iterable[TensorRow],
    theirs: Mapping[str, np.ndarray],
    shapes: Mapping[str, Shape],
    where: str,
    ignored: tuple[str, ...] = (),
) -> dict[str, np.ndarray]:
    """Our arrays, each of the shape that `shapes` gives for its name; bfloat16 comes widened to float32.

    `where` names the file. Raises ModelError that names the first tensor that is missing, of another shape, not finite
    or not known; but not for names that begin with one of `ignored`.
    """
    ours: dict[str, np.ndarray] = {}
    left = {name for name in theirs if name.rpartition(".")[2] not in NO_WEIGHTS and not name.startswith(ignored)}
    for row in rows:
        pieces = [_checked(name, theirs, row.wanted(shapes), where) for name in row.theirs]
        left.difference_update(row.theirs)
        ours |= _here(row, pieces, shapes)
    if left:
        names = sorted(left)
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        raise ModelError(f"{where} holds a tensor that the architecture has no place for: {names[0]}{more}.")
    return ours


def to_theirs(rows: Iterable[TensorRow], ours: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Their arrays from ours; the other way of `to_ours`."""
    theirs: dict[str, np.ndarray] = {}
    for row in rows:
        whole = _joined([ours[name] for name in row.ours])
        for name, piece in zip(row.theirs, _parts(whole, len(row.theirs)), strict=True):
            if row.form == "transposed":
                piece = piece.T
            elif row.form == "patches":
                piece = piece.transpose(0, 2, 3, 1).reshape(len(piece), -1)
            theirs[name] = np.ascontiguousarray(piece).reshape(row.ahead + piece.shape)
    return theirs


def _split(names: str) -> tuple[str, ...]:
    return tuple(names.split(" + "))


def _expand(row: TensorRow) -> list[TensorRow]:
    for wildcard, endings in _WILDCARDS.items():
        if any(wildcard in name for name in row.theirs):
            return [
                TensorRow(
                    tuple(name.replace(wildcard, ending) for name in row.theirs),
                    tuple(name.replace(wildcard, ending) for name in row.ours),
                    row.form,
                )
                for ending in endings
            ]
    return [row]


def _checked(name: str, theirs: Mapping[str, np.ndarray], wanted: Shape, where: str) -> np.ndarray:
    if name not in theirs:
        if name.endswith(".num_batches_tracked"):  # of no use but to continue training, and often left out
            return np.zeros((), np.int64)
        raise ModelError(f"{where} lacks the tensor {name}, which the architecture needs.")
    found = widen(theirs[name])
    if _core(found.shape) != _core(wanted):
        raise ModelError(
            f"{where} does not fit the architecture: {name} is {_words(found.shape)}, not {_words(wanted)}."
        )
    check_finite(name, found, where)
    return found.reshape(wanted)


def _core(shape: Shape) -> Shape:
    """The shape from its first axis that is not of length 1."""
    first = next((axis for axis, length in enumerate(shape) if length != 1), len(shape))
    return shape[first:]


def _words(shape: Shape) -> str:
    return " × ".join(map(str, shape)) or "a single number"


def _here(row: TensorRow, pieces: list[np.ndarray], shapes: Mapping[str, Shape]) -> dict[str, np.ndarray]:
    whole = _joined(pieces)
    if row.form == "transposed":
        whole = whole.T
    elif row.form == "patches":
        _, channels, height, width = shapes[row.ours[0]]
        whole = whole.reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
    return {
        name: np.ascontiguousarray(part).reshape(shapes[name])
        for name, part in zip(row.ours, _parts(whole, len(row.ours)), strict=True)
    }


def _joined(pieces: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(pieces) if len(pieces) > 1 else pieces[0]


def _parts(whole: np.ndarray, count: int) -> list[np.ndarray]:
    return np.split(whole, count) if count > 1 else [whole]
