"""An adapter: what LoRA has learned, without the model that it belongs to. A few megabytes.

    adapter.json           format, name, the model that it belongs to, and the factor of the products
    adapter.safetensors    for each adapted layer NAME: NAME.down (rank, in) and NAME.up (out, rank), kernels laid flat

Applied, the weights of a layer are W + scale · up down, computed in float64 and rounded once, so that an adapter and
the merged model that the same run wrote have the same bits and the same fingerprint.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open

from lexel.calibration import Calibration
from lexel.checkpoints.model_folder.soundness import check_finite
from lexel.checkpoints.model_folder.training_pictures import TrainingPictures, read_training_pictures
from lexel.config import Config
from lexel.errors import ModelError, UsageError
from lexel.files import check_replaceable, new_folder
from lexel.identity import sha256_of
from lexel.safetensors_bytes import safetensors_bytes

DESCRIPTION, TENSORS, PICTURES = "adapter.json", "adapter.safetensors", "training-pictures.safetensors"
FORMAT = 1


class AdapterFacts(Config):
    """What `adapter.json` says."""

    format: int = FORMAT
    kind: str = "lexel lora adapter"
    name: str
    base_name: str  # of the model that it belongs to, as it was named when the adapter was trained
    base: str  # its fingerprint in float32
    scale: float
    sha256: str = ""  # of the tensors
    calibration: Calibration | None = None  # what the cosines of the adapted model mean


@dataclass(frozen=True)
class Adapter:
    """The products of an adapter, and what is known of it."""

    facts: AdapterFacts
    tensors: Mapping[str, np.ndarray]
    training_pictures: TrainingPictures | None = None

    def apply(self, weights: Mapping[str, np.ndarray], base: str) -> dict[str, np.ndarray]:
        """The weights with the products added, for a base of this fingerprint. Raises ModelError for another base."""
        if base != self.facts.base:
            raise ModelError(
                f"The adapter {self.facts.name} belongs to {self.facts.base_name} (fingerprint {self.facts.base}), not "
                f"to this model ({base}).\nGive the model that it was trained from."
            )
        return merged(weights, self.tensors, self.facts.scale)

    def save(self, path: Path) -> None:
        """Write the adapter's folder, whole or not at all. Raises UsageError where something else is at `path`."""
        check_replaceable(path, DESCRIPTION)
        with new_folder(path) as folder:
            (folder / TENSORS).write_bytes(safetensors_bytes(self.tensors))
            facts = self.facts.model_copy(update={"sha256": sha256_of(folder / TENSORS)})
            (folder / DESCRIPTION).write_text(json.dumps(facts.model_dump(mode="json"), indent=2) + "\n")
            if self.training_pictures is not None:
                self.training_pictures.save(folder / PICTURES, facts.sha256)


def merged(weights: Mapping[str, np.ndarray], tensors: Mapping[str, np.ndarray], scale: float) -> dict[str, np.ndarray]:
    """`weights` with scale · up down added to each layer that has products among `tensors`."""
    found = dict(weights)
    for name in (name.removesuffix(".up") for name in tensors if name.endswith(".up")):
        own = found[f"{name}.weight"]
        up, down = (tensors[f"{name}.{part}"].astype(np.float64) for part in ("up", "down"))
        found[f"{name}.weight"] = (own.astype(np.float64) + scale * (up @ down).reshape(own.shape)).astype(own.dtype)
    return found


def check_no_adapter(path: Path) -> None:
    """Raise UsageError where the folder is an adapter and a whole model is wanted."""
    if not (path / DESCRIPTION).is_file():
        return
    merged_model = path.parent / "model"
    beside = f'Give the merged model that its run wrote, "{merged_model}"' if merged_model.is_dir() else "Give a model"
    raise UsageError(
        f"{path} is an adapter: it holds what LoRA has learned, and not the model that it belongs to.\n"
        f'{beside}, or load both in Python: lexel.load(MODEL, adapter="{path}").'
    )


def read_adapter(path: Path) -> Adapter:
    """Read an adapter's folder. Raises UsageError where there is none, ModelError when it is damaged."""
    if not (path / DESCRIPTION).is_file():
        hint = " Did you mean its adapter/?" if (path / "adapter" / DESCRIPTION).is_file() else ""
        raise UsageError(f"{path} is no adapter: it has no {DESCRIPTION}.{hint}")
    try:
        facts = AdapterFacts.model_validate_json((path / DESCRIPTION).read_bytes())
        if facts.format != FORMAT:
            raise ValueError(f"it is of format {facts.format}, which this Lexel does not read")
        if sha256_of(path / TENSORS) != facts.sha256:
            raise ValueError(f"{TENSORS} is not the file that it was saved with")
        with safe_open(path / TENSORS, framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        there = (path / PICTURES).is_file()
        pictures = read_training_pictures(path / PICTURES, facts.sha256) if there else None
    except ValidationError as error:
        raise ModelError(f"{path / DESCRIPTION} is damaged: {error.errors()[0]['msg']}. Copy it again.") from None
    except (OSError, SafetensorError, ValueError) as error:
        raise ModelError(f"The adapter {path} is damaged: {error}. Copy it again.") from None
    for name, array in tensors.items():
        check_finite(name, array, str(path / TENSORS))
    return Adapter(facts, tensors, pictures)
