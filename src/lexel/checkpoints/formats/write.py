"""Writing a model in another library's format, such that the library loads it and every weight keeps its bits."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lexel.checkpoints.formats.arrays import BFLOAT16, narrow, write_safetensors
from lexel.checkpoints.formats.huggingface.config_in import huggingface_rows
from lexel.checkpoints.formats.huggingface.config_out import huggingface_config, huggingface_processor
from lexel.checkpoints.formats.open_clip.config_out import is_flat, open_clip_config
from lexel.checkpoints.formats.open_clip.tensors import open_clip_rows
from lexel.checkpoints.formats.open_clip.text_models import NOTE
from lexel.checkpoints.formats.read import CONFIGS, PROCESSOR, ForeignModel
from lexel.checkpoints.formats.tensor_tables import to_theirs
from lexel.checkpoints.formats.tokenizer import tokenizer_advice, write_tokenizer
from lexel.checkpoints.model_folder.folder import MANIFEST, save_model_folder
from lexel.errors import UsageError
from lexel.files import check_replaceable, new_folder

OPEN_CLIP_WEIGHTS, HUGGINGFACE_WEIGHTS = "open_clip_model.safetensors", "model.safetensors"


def write_open_clip(model: ForeignModel, out: Path) -> None:
    """A folder that `open_clip.create_model("local-dir:…")` loads.

    Raises UsageError for a model that OpenCLIP cannot hold, or if `out` is something else. Written whole or not at all.
    """
    architecture = model.architecture
    config = open_clip_config(architecture, model.preprocessing)
    if model.tokenizer is not None:
        config[NOTE]["text_rules"] = model.tokenizer.rules.model_dump(mode="json")
        config["model_cfg"]["text_cfg"] |= _tokenizer_settings(model)
    rows = open_clip_rows(architecture, model.weights, flat=is_flat(architecture))
    check_replaceable(out, CONFIGS["open_clip"])
    with new_folder(out) as folder:
        _write_json(folder / CONFIGS["open_clip"], config)
        write_safetensors(folder / OPEN_CLIP_WEIGHTS, to_theirs(rows, _as_stored(model)))
        if model.tokenizer is not None:
            write_tokenizer(model.tokenizer, folder)


def write_huggingface(model: ForeignModel, out: Path) -> None:
    """A folder that `transformers.AutoModel.from_pretrained` loads.

    Raises UsageError for a model that transformers cannot hold, or if `out` is something else. Written whole or not at
    all.
    """
    config = huggingface_config(model.architecture)
    processor = huggingface_processor(model.preprocessing, config["model_type"])
    if model.tokenizer is not None:
        config[NOTE]["text_rules"] = model.tokenizer.rules.model_dump(mode="json")
    rows = huggingface_rows(model.architecture, model.weights)
    check_replaceable(out, CONFIGS["huggingface"])
    with new_folder(out) as folder:
        _write_json(folder / CONFIGS["huggingface"], config)
        _write_json(folder / PROCESSOR, processor)
        write_safetensors(folder / HUGGINGFACE_WEIGHTS, to_theirs(rows, _as_stored(model)))
        if model.tokenizer is not None:
            write_tokenizer(model.tokenizer, folder)


def to_lexel(model: ForeignModel, out: Path) -> None:
    """A Lexel model folder. Raises UsageError if no tokenizer was found, or if `out` is something else."""
    if model.tokenizer is None:
        raise UsageError(
            f"{model.source} comes without a tokenizer, which a model folder must have.\n"
            f"  {tokenizer_advice(model.architecture)}: --tokenizer PATH, or tokenizer= in Python."
        )
    check_replaceable(out, MANIFEST)
    notes = "".join(f"\n{note}\n" for note in (*model.warnings, *model.notes))
    save_model_folder(
        out,
        name=model.name,
        architecture=model.architecture,
        preprocessing=model.preprocessing,
        weights=model.weights,
        tokenizer=model.tokenizer,
        card=f"# {model.name}\n\nConverted by Lexel from {model.source.name}, {model.format}.\n{notes}",
        training_pictures=model.training_pictures,
    )


def _as_stored(model: ForeignModel) -> dict[str, np.ndarray]:
    bfloat16 = {name for name, dtype in model.dtypes.items() if dtype == "bfloat16"}
    return {
        name: narrow(array).reshape(array.shape) if name in bfloat16 and array.dtype != BFLOAT16 else array
        for name, array in model.weights.items()
    }


def _tokenizer_settings(model: ForeignModel) -> dict[str, Any]:
    """Settings with which OpenCLIP takes the tokenizer in the folder, and how captions are cleaned."""
    assert model.tokenizer is not None
    rules = model.tokenizer.rules
    if rules.special_names == "alone":  # CLIP's own, which OpenCLIP brings along
        return {}
    settings: dict[str, object] = {"clean": "canonicalize"} if rules.cleaning == "canonical" else {}
    if rules.drop_end:
        settings["strip_sep_token"] = True
    return {"hf_tokenizer_name": model.name} | ({"tokenizer_kwargs": settings} if settings else {})


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
