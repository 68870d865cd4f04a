"""Reading a checkpoint that another library wrote, whatever its kind, into Lexel's names and configuration.

The kind is recognised by what is in the files. What they do not hold, such as the activation of a bare weight file,
is asked for and never guessed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from lexel.architectures.config import Activation, CLIPConfig, VisionTransformerConfig
from lexel.architectures.zoo import architecture as architecture_of
from lexel.checkpoints.formats.arrays import number_format
from lexel.checkpoints.formats.find_towers import TwoTowers, adapter_error, find_towers, with_temperature
from lexel.checkpoints.formats.huggingface.config_in import huggingface_rows, read_huggingface_config
from lexel.checkpoints.formats.huggingface.processor_in import read_processor
from lexel.checkpoints.formats.infer import infer_architecture, known_activation, say_it, with_activation
from lexel.checkpoints.formats.open_clip.config_in import read_open_clip_config
from lexel.checkpoints.formats.open_clip.tensors import open_clip_rows
from lexel.checkpoints.formats.tensor_tables import Shape, TensorRow, to_ours
from lexel.checkpoints.formats.tokenizer import Style, find_tokenizer, fit_tokens
from lexel.checkpoints.formats.weight_files import Stored, read_sharded, read_weight_file
from lexel.checkpoints.hub.choose_files import choose
from lexel.checkpoints.model_folder.adapter import check_no_adapter
from lexel.checkpoints.model_folder.folder import MANIFEST, open_model_folder
from lexel.checkpoints.model_folder.soundness import check_not_zero, check_sizes
from lexel.checkpoints.model_folder.training_pictures import TrainingPictures
from lexel.errors import LexelError, UsageError
from lexel.files import read_json_object
from lexel.images import Preprocessing
from lexel.tokenizer import Tokenizer

CONFIGS: dict[Style, str] = {"open_clip": "open_clip_config.json", "huggingface": "config.json"}
PROCESSOR = "preprocessor_config.json"
DECODER = "text_decoder."  # CoCa's captioner
ADAPTER, INDEX = "adapter_config.json", ".index.json"

Read = TypeVar("Read")


@dataclass(frozen=True)
class ForeignModel:
    """A model as it was found, in Lexel's terms."""

    name: str
    architecture: CLIPConfig
    preprocessing: Preprocessing
    weights: dict[str, np.ndarray] = field(repr=False)  # under Lexel's names, as stored, but bfloat16 as float32
    tokenizer: Tokenizer | None
    source: Path
    format: str  # in words: what kind of file it came from
    dtypes: dict[str, str] = field(default_factory=dict, repr=False)  # what each weight was stored as
    notes: tuple[str, ...] = ()  # what a user should know about it, as sentences
    warnings: tuple[str, ...] = ()  # what cannot be had of it, as sentences
    training_pictures: TrainingPictures | None = field(default=None, repr=False)  # that it has learned from, if known


def read_foreign(
    path: Path,
    *,
    architecture: str | None = None,
    activation: Activation | None = None,
    tokenizer: Path | None = None,
) -> ForeignModel:
    """Read a weight file or a folder of any known kind.

    `architecture` names one of the zoo for files that come without a configuration, `activation` says what such files
    do not, and `tokenizer` is CLIP's list of merges or a `tokenizer.json` where none lies beside the weights.
    Raises UsageError for what is missing or must be said, ModelError for what is damaged or does not fit together.
    """
    path = Path(path)
    if not path.exists():
        raise UsageError(f"{path} does not exist.")
    if path.is_dir() and (path / MANIFEST).is_file():
        return _own(path)
    check_no_adapter(path)
    weights, stored = stored_weights(path)
    where = str(weights)
    towers = find_towers(stored.arrays, where)
    config = _config_beside(weights, CONFIGS[towers.style]) if architecture is None else None
    read = _read_open_clip if towers.style == "open_clip" else _read_huggingface
    found = read(stored, towers, config, architecture, activation, weights)
    check_not_zero(found.weights, where)
    beside = path if path.is_dir() else path.parent if config is not None else None
    words = find_tokenizer(beside, tokenizer, found.architecture, found.tokenizer_facts, towers.style)
    return ForeignModel(
        name=path.name if path.is_dir() else path.stem,
        architecture=found.architecture if words is None else fit_tokens(found.architecture, words),
        preprocessing=found.preprocessing,
        weights=found.weights,
        tokenizer=words,
        source=path,
        format=found.format,
        dtypes=found.dtypes,
        notes=found.notes,
        warnings=found.warnings,
    )


def stored_weights(path: Path) -> tuple[Path, Stored]:
    """The weight file at a path or in a folder, and what it holds under its own names.

    Raises UsageError where there is none, ModelError where it is damaged.
    """
    weights = _weights_in(path) if path.is_dir() else path
    return weights, read_sharded(weights) if weights.name.endswith(INDEX) else read_weight_file(weights)


@dataclass(frozen=True)
class _Found:
    architecture: CLIPConfig
    preprocessing: Preprocessing
    weights: dict[str, np.ndarray]
    dtypes: dict[str, str]
    format: str
    tokenizer_facts: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def _own(path: Path) -> ForeignModel:
    folder = open_model_folder(path)
    if folder.is_exported:
        raise UsageError(f"{path} holds exported towers and no weights. Give the folder that it was exported from.")
    weights = folder.weights()
    return ForeignModel(
        name=folder.manifest.name,
        architecture=folder.manifest.architecture,
        preprocessing=folder.manifest.preprocessing,
        weights=weights,
        tokenizer=folder.tokenizer(),
        source=path,
        format="Lexel model folder",
        dtypes={name: number_format(array) for name, array in weights.items()},
        training_pictures=folder.training_pictures(),
    )


def _weights_in(folder: Path) -> Path:
    names = [entry.name for entry in folder.iterdir()]
    choice = choose(names)
    if choice and (choice.config or ADAPTER not in names):
        return folder / choice.weights[0]
    if ADAPTER in names:
        base = read_json_object(folder / ADAPTER).get("base_model_name_or_path")
        raise adapter_error(str(folder), str(base or "the base model"))
    if index := next((name for name in sorted(names) if name.endswith(INDEX)), None):
        return folder / index  # whose reader says which of the files are missing
    found = ", ".join(sorted(names)[:8]) or "nothing"
    raise UsageError(
        f"{folder} holds no model that Lexel knows. It has: {found}.\n"
        "  Give a weight file, or a folder with a configuration and weights."
    )


def _config_beside(weights: Path, name: str) -> dict[str, Any] | None:
    path = weights.with_name(name)
    return read_json_object(path, "Download it again.") if path.exists() else None


def _read_open_clip(
    stored: Stored,
    towers: TwoTowers,
    config: dict[str, Any] | None,
    name: str | None,
    activation: Activation | None,
    weights: Path,
) -> _Found:
    where = str(weights)
    towers = with_temperature(towers, logit_bias=False, where=where)
    known = known_activation(towers.arrays, stored.program)
    if known and activation and known != activation:
        raise UsageError(f"{where} was trained with {known}, not {activation}: its archive says so.")
    pixels = None
    if config is not None:
        found, pixels = _about(weights.with_name(CONFIGS["open_clip"]), read_open_clip_config, config)
    else:
        found = architecture_of(name) if name else infer_architecture(towers.arrays, stored.program, where)
    chosen = activation or known
    if chosen:
        found = with_activation(found, chosen)
    elif config is None and name is None and with_activation(found, "quick_gelu") != with_activation(found, "gelu"):
        raise UsageError(
            f"{where} does not say its activation, and the wrong one ruins embeddings unseen.\n"
            "  Say which it was trained with, gelu (most of OpenCLIP's) or quick_gelu (OpenAI's, DFN's, MetaCLIP's):\n"
            f"  {say_it(where, '--activation gelu')}"
        )
    found = found.model_copy(update={"logit_bias": "logit_bias" in towers.arrays})
    shapes = shapes_of(found, where)
    rows = open_clip_rows(found, shapes, flat="token_embedding.weight" in towers.arrays)
    notes = towers.notes
    if any(key.startswith(DECODER) for key in towers.arrays):
        notes = (*notes, "CoCa's captioner is left out here; lexel caption uses it.")
    return _Found(
        architecture=found,
        preprocessing=pixels or _usual_pixels(found),
        weights=to_ours(rows, towers.arrays, shapes, where, ignored=(DECODER,)),
        dtypes=_dtypes(rows, towers.arrays),
        format=f"OpenCLIP ({stored.container})" if not stored.program else "OpenAI (TorchScript)",
        tokenizer_facts=config or {},
        notes=notes,
        warnings=towers.warnings,
    )


def _read_huggingface(
    stored: Stored,
    towers: TwoTowers,
    config: dict[str, Any] | None,
    name: str | None,
    activation: Activation | None,
    weights: Path,
) -> _Found:
    where = str(weights)
    if config is None and name is None:
        raise UsageError(
            f"{where} needs its config.json beside it, or the name of its architecture:\n"
            f"  {say_it(where, '--architecture ViT-B-32')}"
        )
    path = weights.with_name(CONFIGS["huggingface"])
    found = _about(path, read_huggingface_config, config) if config is not None else architecture_of(name or "")
    if activation:
        found = with_activation(found, activation)
    if not isinstance(found.image, VisionTransformerConfig):
        raise UsageError(f"{where} is in transformers' format, which {name} cannot be.")
    towers = with_temperature(towers, found.logit_bias, where)
    shapes = shapes_of(found, where)
    is_flat = towers.arrays.get("vision_model.embeddings.patch_embedding.weight", np.zeros(())).ndim == 2
    rows = huggingface_rows(found, shapes, patches="patches" if is_flat else "same")
    notes = towers.notes
    if is_flat:
        size = found.image.image_size
        notes = (*notes, f"Pictures are squashed to {size} pixels square; transformers keeps their shape.")
    kind = str((config or {}).get("model_type", "siglip" if found.logit_bias else "clip"))
    processor = _config_beside(weights, PROCESSOR) or {}
    return _Found(
        architecture=found,
        preprocessing=_about(weights.with_name(PROCESSOR), read_processor, processor, kind, found.image.image_size),
        weights=to_ours(rows, towers.arrays, shapes, where),
        dtypes=_dtypes(rows, towers.arrays),
        format=f"Hugging Face {kind} ({stored.container})",
        tokenizer_facts=config or {},
        notes=notes,
        warnings=towers.warnings,
    )


def _about(path: Path, read: Callable[..., Read], *arguments: Any) -> Read:
    """What `read` makes of a configuration; its errors, which say what it holds, get the file as their subject."""
    try:
        return read(*arguments)
    except LexelError as error:
        raise type(error)(f"{path} {error}") from None


def shapes_of(config: CLIPConfig, where: str) -> dict[str, Shape]:
    """The names and shapes of all weights of an architecture. Nothing is allocated.

    Raises ModelError where a size is beyond reason; `where` names the file that it comes from.
    """
    import torch

    check_sizes(config, where)
    from lexel.models.clip import CLIP

    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in CLIP(config).state_dict().items()}


def _dtypes(rows: list[TensorRow], arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    return {name: number_format(arrays[row.theirs[0]]) for row in rows for name in row.ours if row.theirs[0] in arrays}


def _usual_pixels(config: CLIPConfig) -> Preprocessing:
    """What goes with weights that come without a word on it: SigLIP's way for SigLIP, CLIP's for the others."""
    image, half = config.image, (0.5, 0.5, 0.5)
    usual = Preprocessing(image_size=image.image_size, convention="open_clip")
    if isinstance(image, VisionTransformerConfig) and image.pooling == "map":
        return usual.model_copy(update={"resize": "squash", "mean": half, "std": half})
    return usual
