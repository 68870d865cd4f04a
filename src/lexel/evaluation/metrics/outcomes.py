"""What each example contributed to a metric, kept beside the report so that two models can be compared in pairs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from lexel.errors import DataError
from lexel.files import write_atomically
from lexel.safetensors_bytes import safetensors_bytes

FILE_NAME = "examples.safetensors"
KIND = "lexel outcomes of examples"


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The values whose mean is a metric. Examples of one group depend on each other and are resampled together."""

    values: np.ndarray  # (Q,) float32, a hit as 1 or, at ties, as its probability
    # (Q,) int64, the image that the example belongs to, as a position in `keys` of the source; what a task has drawn
    # itself is numbered on from there.
    groups: np.ndarray

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Outcome):
            return NotImplemented
        return np.array_equal(self.values, other.values) and np.array_equal(self.groups, other.groups)

    __hash__ = None  # type: ignore[assignment]


def save_outcomes(path: Path, keys: Sequence[Sequence[str]], outcomes: Mapping[str, Outcome]) -> None:
    """Write outcomes by "source number/task/metric", and the image keys of each source, as safetensors."""
    tensors = {}
    for name, outcome in outcomes.items():
        tensors[f"{name}#values"] = np.ascontiguousarray(outcome.values, np.float32)
        tensors[f"{name}#groups"] = np.ascontiguousarray(outcome.groups, np.int64)
    write_atomically(
        path, safetensors_bytes(tensors, {"kind": KIND, "keys": json.dumps([list(names) for names in keys])})
    )


def load_outcomes(path: Path) -> tuple[list[list[str]], dict[str, Outcome]]:
    """Read what `save_outcomes` wrote. Raises DataError for a damaged file."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dictionary
    except SafetensorError as error:
        raise DataError(f"{path} is damaged: {error}.\n  Evaluate the model again.") from error
    if metadata.get("kind") != KIND:
        raise DataError(f"{path} is a safetensors file, but not one that a report wrote.")
    names = [name.removesuffix("#values") for name in tensors if name.endswith("#values")]
    outcomes = {name: Outcome(tensors[f"{name}#values"], tensors[f"{name}#groups"]) for name in names}
    return json.loads(metadata["keys"]), outcomes
