"""A painter's folder.

painter.json            what it is: its CLIP's fingerprint and place, all settings, what it learned from; written last
prior.safetensors       from text vectors to picture vectors
decoder.safetensors     from picture vectors to pixels
learning/               log, curves and, while it is in training, snapshots of both
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from pydantic import PositiveInt, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from lexel.checkpoints.model_folder.pieces import check_piece
from lexel.config import Config
from lexel.errors import LexelError, ModelError, UsageError, did_you_mean
from lexel.files import new_file, read_json_object, write_atomically
from lexel.generation.pictures.decoder import Decoder
from lexel.generation.pictures.parts import FlowDecoder
from lexel.generation.pictures.prior import Prior
from lexel.generation.pictures.recipe import PainterRecipe
from lexel.identity import sha256_of
from lexel.loading import ModelChoice, NumberFormat, RuntimeName
from lexel.runtimes.torch import choose_device

if TYPE_CHECKING:
    from lexel.encoder import Encoder

DESCRIPTION, PRIOR, DECODER, LEARNING = "painter.json", "prior.safetensors", "decoder.safetensors", "learning"
STEPS = 8  # of Heun's method, where a call names none
GUIDANCE = 3.0


class PainterModel(Config):
    """The CLIP of a painter: which it is, and where it was."""

    name: str
    fingerprint: str
    model: str | None = None  # as `lexel.load` takes it; None where it was made in Python
    runtime: RuntimeName | None = None
    number_format: NumberFormat | None = None

    @classmethod
    def of(cls, encoder: "Encoder") -> "PainterModel":
        source = encoder.source
        where = {} if source is None else {"model": source.model, "runtime": source.runtime}
        form = {} if source is None else {"number_format": source.number_format}
        return cls.model_validate({"name": encoder.name, "fingerprint": encoder.fingerprint} | where | form)


class PainterFacts(Config):
    """What `painter.json` says."""

    kind: Literal["lexel painter"] = "lexel painter"
    format: Literal[1] = 1
    clip: PainterModel
    dimensions: PositiveInt  # D, of its vectors
    recipe: PainterRecipe
    source: str  # as it was named
    pairs: int
    data: str  # fingerprint of what it learned from
    seconds: dict[str, float]  # in steps, of each part
    loss: dict[str, float | None]  # the mean of the last steps, of each part
    sha256: dict[str, str]  # of the files


def write_painter(folder: Path, facts: PainterFacts, prior: Prior, decoder: Decoder) -> None:
    """Write both parts and then the description, with the files' hashes. Raises OSError."""
    for name, module in ((PRIOR, prior), (DECODER, decoder)):
        with new_file(folder / name) as temporary:
            save_file({key: value.detach().cpu().contiguous() for key, value in module.state_dict().items()}, temporary)
    hashes = {name: sha256_of(folder / name) for name in (PRIOR, DECODER)}
    facts = facts.model_copy(update={"sha256": hashes})
    write_atomically(folder / DESCRIPTION, json.dumps(facts.model_dump(mode="json"), indent=2) + "\n")


def read_facts(folder: Path) -> PainterFacts:
    """What the painter in the folder is. Raises UsageError where there is none, ModelError where it is damaged."""
    if not folder.is_dir():
        near = did_you_mean(folder.name, [entry.name for entry in folder.absolute().parent.glob("*")])
        raise UsageError(f"No painter at {folder}.{near}\nTrain one: lexel generate train MODEL SOURCE -o FOLDER")
    if not (folder / DESCRIPTION).is_file():
        why = "its training is not finished; give the same command again" if (folder / LEARNING).exists() else ""
        raise UsageError(f"{folder} is no painter: it has no {DESCRIPTION}" + (f" ({why})." if why else "."))
    content = read_json_object(folder / DESCRIPTION)
    try:
        return PainterFacts.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ModelError(f"{folder / DESCRIPTION} does not describe a painter: {where}: {first['msg']}") from None


def read_painter(folder: Path, encoder: "Encoder | None", device: str | None) -> tuple["Encoder", Prior, FlowDecoder]:
    """CLIP, prior and decoder of a painter's folder. Raises UsageError for another CLIP, ModelError for damage."""
    facts = read_facts(folder)
    prior = Prior(facts.recipe.prior, facts.dimensions)
    decoder = Decoder(facts.recipe.decoder, facts.dimensions)
    on = torch.device(choose_device(device))
    for name, module in ((PRIOR, prior), (DECODER, decoder)):
        check_piece(folder, name, facts.sha256.get(name, ""), "saved")
        _read_weights(folder / name, module)
        module.to(on).eval().requires_grad_(False)
    clip = encoder or _remembered(folder, facts.clip)
    check_clip(folder, facts.clip, clip)
    return clip, prior, FlowDecoder(decoder, STEPS, GUIDANCE)


def check_clip(folder: Path, known: PainterModel, clip: "Encoder") -> None:
    """Raise UsageError where `clip` is another model than the painter's."""
    if clip.fingerprint != known.fingerprint:
        raise UsageError(
            f"{folder} belongs to {known.name} ({known.fingerprint}); {clip.name} ({clip.fingerprint}) is another"
            " model, or the same in another\nnumber format. Use that model, or train a painter of this one:\n"
            "  lexel generate train MODEL SOURCE -o FOLDER"
        )


def _read_weights(path: Path, module: nn.Module) -> None:
    try:
        weights = load_file(path)
        module.load_state_dict(weights)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ModelError(f"{path} is damaged: {str(error).splitlines()[0]}. Copy the folder again.") from None
    if bad := [name for name, value in weights.items() if not torch.isfinite(value).all()]:
        raise ModelError(f"{path} has weights that are not finite, first {bad[0]}. Train the painter again.")


def _remembered(folder: Path, clip: PainterModel) -> "Encoder":
    if clip.model is None:
        raise UsageError(f"{folder} was made in Python with {clip.name}, whose place is not known: --model MODEL")
    try:
        return ModelChoice(clip.model, clip.runtime, clip.number_format).load()
    except LexelError:
        if Path(clip.model).is_absolute() and not Path(clip.model).exists():
            raise UsageError(
                f"{clip.model}, the model of {folder}, is not there any more.\nSay where it lies now: --model MODEL"
            ) from None
        raise
