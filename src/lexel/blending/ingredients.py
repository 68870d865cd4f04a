"""Models that are about to be mixed. Their weights can be averaged only where they are the same network, began from
the same weights and read the same tokens: anything else is refused, and what differs is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from lexel.checkpoints.model_folder.folder import MANIFEST, TOKENIZER, WEIGHTS, ModelFolder, open_model_folder
from lexel.conversion import convert
from lexel.data.pairs import Source
from lexel.errors import ModelError, UsageError
from lexel.evaluation.report.overlap import overlap_with

LEAST_COSINE = 0.5  # of the matrices of two models that began from the same weights; of others it is near 0
NAMED_DIFFERENCES = 3  # in a message


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A model folder, and what the user calls it."""

    name: str
    folder: ModelFolder

    @property
    def weights(self) -> Path:
        return self.folder.path / WEIGHTS


def open_ingredient(model: str, scratch: Path) -> Ingredient:
    """Any model that `lexel.load` takes; another library's is converted into the folder `scratch`."""
    path = Path(model).expanduser()
    if not (path / MANIFEST).is_file() and not (path / "recipe.json").is_file():
        path = convert(model, scratch)
    folder = open_model_folder(path)
    if folder.is_exported:
        raise UsageError(
            f"{model} is an exported model without weights to mix. Give the model folder that it was exported from."
        )
    return Ingredient(model, folder)


def check_same_kind(start: Ingredient, others: Sequence[Ingredient]) -> None:
    """Raise UsageError where one of the others is another network than `start`, or began from other weights."""
    for other in others:
        said = _differences(start, other)
        if said:
            more = f", and {len(said) - NAMED_DIFFERENCES} more" if len(said) > NAMED_DIFFERENCES else ""
            raise UsageError(
                f"{other.name} cannot be mixed with {start.name}. They differ in:\n"
                f"  {'; '.join(said[:NAMED_DIFFERENCES])}{more}"
            )
        cosine = weight_cosine(start, other)
        if cosine < LEAST_COSINE:
            raise UsageError(
                f"{other.name} did not begin from {start.name}: their weights have a cosine of {cosine:.2f}, and of "
                "models\nthat were trained apart the mean is worth nothing. Give the model that it was fine-tuned from."
            )


def learned_from(tuned: Sequence[Ingredient], own: Source) -> list[str]:
    """Sentences that warn of pictures of the own data which the tuned models have learned from, if there are any."""
    pictures = [pair.picture for pair in own.pairs]
    said = []
    for model in tuned:
        learned = model.folder.training_pictures()
        known = overlap_with(learned, pictures).known if learned else 0
        if known:
            said.append(
                f"{model.name} has learned from {known:,} of the {len(pictures):,} pictures of {own.name}: it names "
                "them from memory, so the\nmixture is chosen too near to it. Give --own pictures that were not trained "
                "on."
            )
    return said


def weight_cosine(one: Ingredient, other: Ingredient) -> float:
    """The cosine of all weights that multiply, one tensor of each model in memory at a time."""
    products = np.zeros(3)
    with safe_open(one.weights, framework="numpy") as mine, safe_open(other.weights, framework="numpy") as theirs:
        for name in mine.keys():  # noqa: SIM118 - it is no mapping
            a, b = (file.get_tensor(name).astype(np.float64).ravel() for file in (mine, theirs))
            if mine.get_slice(name).get_shape()[1:]:  # gains and shifts look alike in any model
                products += a @ b, a @ a, b @ b
    dot, square, other_square = products
    return float(dot / max((square * other_square) ** 0.5, 1e-30))


def _differences(start: Ingredient, other: Ingredient) -> list[str]:
    """What is not the same, in words."""
    mine, theirs = start.folder.manifest, other.folder.manifest
    said = []
    for part in ("architecture", "preprocessing", "text_rules"):
        one, two = (getattr(manifest, part).model_dump(mode="json") for manifest in (mine, theirs))
        said += [f"{part}.{name} ({a!r} and {b!r})" for name, a, b in _unlike(one, two)]
    if mine.sha256[TOKENIZER] != theirs.sha256[TOKENIZER]:
        said.append("the tokenizer (their vocabularies are not the same)")
    return said or _unlike_tensors(start, other)


def _unlike(one: Mapping[str, Any], two: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """(path, value, value) of each setting that is not the same."""
    found = []
    for name in dict.fromkeys([*one, *two]):
        a, b = one.get(name), two.get(name)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += [(f"{name}.{inner}", *values) for inner, *values in _unlike(a, b)]
        elif a != b:
            found.append((name, a, b))
    return found


def _unlike_tensors(start: Ingredient, other: Ingredient) -> list[str]:
    one, two = _shapes(start), _shapes(other)
    return [
        f"the tensor {name} ({one.get(name, 'absent')} and {two.get(name, 'absent')})"
        for name in dict.fromkeys([*one, *two])
        if one.get(name) != two.get(name)
    ]


def _shapes(ingredient: Ingredient) -> dict[str, str]:
    try:
        with safe_open(ingredient.weights, framework="numpy") as file:
            return {name: "×".join(map(str, file.get_slice(name).get_shape())) or "a number" for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{ingredient.weights} cannot be read: {error}") from None
