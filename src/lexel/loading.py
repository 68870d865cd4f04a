"""Making a model ready: whatever it is given as, an Encoder comes out.

A model is a Lexel model folder, an exported one, another library's folder or weight file, or the name of a published
checkpoint, which is fetched once when it is not on this machine yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from lexel.calibration import Calibration
from lexel.checkpoints.hub.locate import is_checkpoint_name, locate, pull_showing_progress
from lexel.checkpoints.model_folder.adapter import read_adapter
from lexel.checkpoints.model_folder.exported import open_towers
from lexel.checkpoints.model_folder.folder import (
    MANIFEST,
    TOKENIZER,
    WEIGHTS,
    Manifest,
    ModelFolder,
    fingerprint,
    open_model_folder,
)
from lexel.encoder import Encoder
from lexel.errors import UsageError
from lexel.identity import sha256_of_weights
from lexel.progress import say
from lexel.runtimes import Runtime
from lexel.tokenizer import AbsentTokenizer, TextRules

if TYPE_CHECKING:
    from lexel.architectures.config import Activation, CLIPConfig
    from lexel.checkpoints.formats.read import ForeignModel
    from lexel.checkpoints.model_folder.training_pictures import TrainingPictures

RuntimeName = Literal["torch", "onnx", "openvino"]
NumberFormat = Literal["float32", "bfloat16", "float16", "int8"]
TorchFormat = Literal["float32", "bfloat16"]


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model as `load` takes it."""

    model: str
    runtime: RuntimeName | None = None
    number_format: NumberFormat | None = None

    def load(self) -> Encoder:
        """Make it ready. Raises UsageError or ModelError."""
        return load(self.model, runtime=self.runtime, number_format=self.number_format)

    def for_later(self) -> ModelChoice:
        """The same, with a path made absolute."""
        path = Path(self.model).expanduser()
        return replace(self, model=str(path.absolute())) if path.exists() else self


def load(
    model: str | Path,
    *,
    device: str | None = None,
    runtime: RuntimeName | None = None,
    number_format: NumberFormat | None = None,
    architecture: str | None = None,
    activation: Activation | None = None,
    tokenizer: str | Path | None = None,
    image_size: int | None = None,
    context_length: int | None = None,
    exact: bool = False,
    adapter: str | Path | None = None,
) -> Encoder:
    """Make a model ready to embed.

    `model` is a model folder, "ViT-B-32/openai" or another name that `lexel models list --pretrained` shows,
    "hf:organisation/repository", or another library's folder or weight file; for the last, `architecture`,
    `activation` and `tokenizer` say what it leaves out (see `read_foreign`).

    `device` is torch's name of one; the default is a GPU when there is one. `runtime` and `number_format` default to
    torch in float32 or, for an exported folder, to ONNX Runtime in the format nearest to it. `image_size` (pixels) and
    `context_length` (tokens) stretch the learned positions. `exact` decodes large JPEGs in full. `adapter` is a folder
    that a run with LoRA left in `adapter/`; it fits the model that it was trained from.

    Raises UsageError when there is no such model or something must be said, ModelError when its files are damaged.

    Example:
        encoder = lexel.load("ViT-B-32/openai")                 # or a folder, a file, "hf:organisation/repository"
        encoder.similarity(["a.jpg"], ["a cat", "a dog"])       # (1, 2) cosines
    """
    path = Path(model).expanduser()
    resize = {"image_size": image_size, "context_length": context_length}
    if adapter is not None:
        return _adapted(model, Path(adapter).expanduser(), device, runtime, number_format, resize, exact)
    if _is_foreign(path, str(model)):
        found = read_model(model, architecture=architecture, activation=activation, tokenizer=tokenizer)
        for warning in found.warnings:
            say(warning)
        encoder = _foreign(found, device, _on_torch(runtime, number_format), resize, exact)
    elif not (folder := open_model_folder(path)).is_exported:
        encoder = _own(folder, device, _on_torch(runtime, number_format), resize, exact)
    elif device or any(resize.values()):
        raise UsageError(f"{path} is exported: it runs on the CPU, and at the sizes that it was exported with.")
    else:
        encoder = _exported(folder, runtime or "onnx", number_format, exact)
    if not (architecture or activation or tokenizer or any(resize.values())):
        encoder.source = ModelChoice(str(model), runtime, number_format).for_later()
    return encoder


def read_model(
    model: str | Path,
    *,
    architecture: str | None = None,
    activation: Activation | None = None,
    tokenizer: str | Path | None = None,
) -> ForeignModel:
    """A model of any kind in Lexel's terms, for loading and converting; see `load`."""
    from lexel.checkpoints.formats.read import read_foreign

    path = Path(model).expanduser()
    words = Path(tokenizer).expanduser() if tokenizer else None
    if path.exists() or not is_checkpoint_name(str(model)):
        return read_foreign(path, architecture=architecture, activation=activation, tokenizer=words)
    located = locate(str(model)) or pull_showing_progress(str(model))
    known = located.pretrained
    is_ours = located.config is not None and located.config.name == MANIFEST
    found = read_foreign(
        located.weights.parent if is_ours else located.weights,
        architecture=known.architecture if known else architecture,
        activation=activation,
        tokenizer=words or located.tokenizer,
    )
    pixels = known.preprocessing if known else found.preprocessing
    return replace(found, name=str(model).removeprefix("hf:"), preprocessing=pixels)


def _is_foreign(path: Path, name: str) -> bool:
    """Whether it is not Lexel's own. What is not there at all counts as a missing model folder of ours."""
    if not path.exists():
        return is_checkpoint_name(name)
    return not any((path / sign).exists() for sign in (MANIFEST, "recipe.json"))


def _on_torch(runtime: RuntimeName | None, number_format: NumberFormat | None) -> TorchFormat:
    if runtime not in (None, "torch"):
        raise UsageError(f"{runtime} runs exported models: lexel models export MODEL OUT --to onnx writes one.")
    if number_format not in (None, "float32", "bfloat16"):
        raise UsageError(
            f"torch runs a model in float32 or bfloat16. For {number_format}, export it: lexel models export MODEL OUT"
        )
    return number_format or "float32"


def _exported(folder: ModelFolder, runtime: RuntimeName, number_format: NumberFormat | None, exact: bool) -> Encoder:
    if runtime == "torch":
        raise UsageError(f"{folder.path} is exported and holds no weights for torch. Give the folder it was made from.")
    towers = _open_exported(folder.path, runtime, number_format)
    return _encoder(folder, towers, folder.calibration(), folder.training_pictures, exact)


def _open_exported(path: Path, runtime: Literal["onnx", "openvino"], number_format: NumberFormat | None) -> Runtime:
    if number_format == "bfloat16" and runtime == "onnx":
        raise UsageError("ONNX Runtime does not compute in bfloat16; OpenVINO does: runtime openvino.")
    towers = open_towers(path, "float32" if number_format == "bfloat16" else number_format)
    facts = {
        "logit_scale": towers.logit_scale,
        "logit_bias": towers.logit_bias,
        "number_format": towers.number_format,
    }
    if runtime == "openvino":
        from lexel.runtimes.openvino import OpenVINORuntime

        precision = "bfloat16" if number_format == "bfloat16" else "float32"
        return OpenVINORuntime(towers.file, precision=precision, **facts)
    from lexel.runtimes.onnx import OnnxRuntime

    return OnnxRuntime(towers.file, **facts)


def _own(
    folder: ModelFolder,
    device: str | None,
    number_format: TorchFormat,
    resize: dict[str, int | None],
    exact: bool,
) -> Encoder:
    manifest, weights, calibration = folder.manifest, folder.weights(), folder.calibration()
    read_training_pictures = folder.training_pictures
    if any(resize.values()):
        manifest, weights = _resized(manifest, weights, resize)
        folder, calibration = replace(folder, manifest=manifest), None  # its cosines are not quite the same
    towers = _torch(manifest.architecture, weights, device, number_format)
    return _encoder(folder, towers, calibration, read_training_pictures, exact)


def _foreign(
    found: ForeignModel,
    device: str | None,
    number_format: TorchFormat,
    resize: dict[str, int | None],
    exact: bool,
) -> Encoder:
    words, training_pictures = found.tokenizer or _no_tokenizer(found), found.training_pictures
    manifest = manifest_of(found)
    hashes = manifest.sha256
    weights = found.weights
    if any(resize.values()):
        manifest, weights = _resized(manifest, weights, resize)
        words = words.with_context(manifest.architecture.text.context_length)
    tower = _torch(manifest.architecture, weights, device, number_format)
    return Encoder(
        tower,
        words,
        manifest.preprocessing,
        name=found.name,
        fingerprint=fingerprint(manifest, hashes, tower.number_format),
        read_training_pictures=lambda: training_pictures,
        exact=exact,
    )


def manifest_of(found: ForeignModel) -> Manifest:
    """What `model.json` would say of it, so that the converted model has the same fingerprint."""
    return Manifest(
        name=found.name,
        architecture=found.architecture,
        preprocessing=found.preprocessing,
        text_rules=found.tokenizer.rules if found.tokenizer else TextRules(),
        sha256={
            WEIGHTS: sha256_of_weights(found.weights),
            TOKENIZER: hashlib.sha256(found.tokenizer.to_json().encode() if found.tokenizer else b"").hexdigest(),
        },
    )


def _adapted(
    model: str | Path,
    folder: Path,
    device: str | None,
    runtime: RuntimeName | None,
    number_format: NumberFormat | None,
    resize: dict[str, int | None],
    exact: bool,
) -> Encoder:
    """A model with what LoRA has learned added to its weights: the same as the run's own model folder."""
    torch_format = _on_torch(runtime, number_format)
    if any(resize.values()):
        raise UsageError("An adapter fits the model at the sizes that it was trained with: leave the sizes out.")
    adapter = read_adapter(folder)
    found = read_model(model)
    base = manifest_of(found)
    weights = adapter.apply(found.weights, fingerprint(base, base.sha256, "float32"))
    adapted = replace(found, name=adapter.facts.name, weights=weights, training_pictures=adapter.training_pictures)
    encoder = _foreign(adapted, device, torch_format, resize, exact)
    encoder.calibration = adapter.facts.calibration
    return encoder


def _no_tokenizer(found: ForeignModel) -> AbsentTokenizer:
    """Lets pictures be embedded, and says so."""
    from lexel.checkpoints.formats.tokenizer import tokenizer_advice

    say(f"{found.source} comes without its tokenizer: it embeds pictures, but no texts.")
    why = (
        f"{found.source} comes without its tokenizer, so it embeds no texts.\n"
        f"  {tokenizer_advice(found.architecture)}, to go into a model folder with it:\n"
        f"  lexel models convert {found.source} OUT --tokenizer PATH   (in Python: tokenizer= of lexel.load)"
    )
    return AbsentTokenizer(why, found.architecture.text.context_length)


def _torch(
    architecture: CLIPConfig, weights: Mapping[str, np.ndarray], device: str | None, number_format: TorchFormat
) -> Runtime:
    from lexel.runtimes.torch import TorchRuntime, build_clip, choose_device

    return TorchRuntime(build_clip(architecture, weights, choose_device(device)), number_format)


def _resized(
    manifest: Manifest, weights: Mapping[str, np.ndarray], resize: dict[str, int | None]
) -> tuple[Manifest, dict[str, np.ndarray]]:
    from lexel.models.resize import resized

    architecture, changed = resized(manifest.architecture, weights, **resize)
    pixels = manifest.preprocessing.model_copy(update={"image_size": architecture.image.image_size})
    return manifest.model_copy(update={"architecture": architecture, "preprocessing": pixels}), changed


def _encoder(
    folder: ModelFolder,
    towers: Runtime,
    calibration: Calibration | None,
    read_training_pictures: Callable[[], TrainingPictures | None],
    exact: bool,
) -> Encoder:
    return Encoder(
        towers,
        folder.tokenizer(),
        folder.manifest.preprocessing,
        name=folder.manifest.name,
        fingerprint=folder.fingerprint(towers.number_format),
        calibration=calibration,
        read_training_pictures=read_training_pictures,
        exact=exact,
    )
