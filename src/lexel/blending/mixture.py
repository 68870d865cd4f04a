"""The weighted mean of models, written tensor by tensor, so that one tensor of each is in memory at a time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import safe_open

from lexel.blending.ingredients import Ingredient
from lexel.checkpoints.model_folder.folder import CARD, MANIFEST, TOKENIZER, TRAINING_PICTURES, WEIGHTS
from lexel.checkpoints.model_folder.training_pictures import union
from lexel.files import new_folder
from lexel.identity import sha256_of
from lexel.safetensors_bytes import write_safetensors_in_turn


@dataclass(frozen=True, slots=True)
class Mixture:
    """Models with shares that sum to 1. All are of one kind (`check_same_kind`)."""

    parts: tuple[tuple[Ingredient, float], ...]

    @classmethod
    def between(cls, start: Ingredient, end: Mixture, weight: float) -> Mixture:
        """`start` at weight 0, `end` at weight 1."""
        return cls(((start, 1 - weight), *((model, weight * share) for model, share in end.parts)))

    @classmethod
    def equal(cls, models: Sequence[Ingredient]) -> Mixture:
        """The same share of each."""
        return cls(tuple((model, 1 / len(models)) for model in models))

    def shapes(self) -> dict[str, tuple[np.dtype, tuple[int, ...]]]:
        """The number format and shape of each tensor."""
        with safe_open(self.parts[0][0].weights, framework="numpy") as file:
            arrays = ((name, file.get_tensor(name)) for name in file.keys())  # noqa: SIM118 - it is no mapping
            return {name: (array.dtype, array.shape) for name, array in arrays}

    def tensors(self) -> Iterator[tuple[str, np.ndarray]]:
        """Each tensor's name and mean, in the order of the first model's file.

        Sums are taken in float64. What counts, such as BatchNorm's batches, is taken from the largest share.
        """
        used = [(model, share) for model, share in self.parts if share]
        with ExitStack() as stack:
            files = [(stack.enter_context(safe_open(model.weights, framework="numpy")), share) for model, share in used]
            largest = max(files, key=lambda item: item[1])[0]
            for name in files[0][0].keys():  # noqa: SIM118 - it is no mapping
                first = files[0][0].get_tensor(name)
                if len(files) == 1 or first.dtype.kind != "f":
                    yield name, largest.get_tensor(name)
                    continue
                total = np.zeros(first.shape)
                for file, share in files:
                    total += share * file.get_tensor(name).astype(np.float64)
                yield name, total.astype(first.dtype)

    def write(self, out: Path, name: str, card: str, beside: Mapping[str, bytes] | None = None) -> None:
        """Write a model folder, with these files `beside` it, whole or not at all.

        It has learned from the pictures of all that are in it. It has no calibration: its cosines are others.
        """
        first = self.parts[0][0].folder
        learned = [found for model, share in self.parts if share and (found := model.folder.training_pictures())]
        with new_folder(out) as folder:
            write_safetensors_in_turn(folder / WEIGHTS, self.shapes(), self.tensors())
            shutil.copyfile(first.path / TOKENIZER, folder / TOKENIZER)
            (folder / CARD).write_text(card, encoding="utf-8")
            hashes = {piece: sha256_of(folder / piece) for piece in (WEIGHTS, TOKENIZER)}
            manifest = first.manifest.model_copy(update={"name": name, "sha256": hashes})
            (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
            if learned:
                union(learned).save(folder / TRAINING_PICTURES, hashes[WEIGHTS])
            for file, content in (beside or {}).items():
                (folder / file).write_bytes(content)
