"""Where among a file's tensors the two towers are, and whose names they have.

Training scripts hold the model inside a larger one (Lightning's `model.`, a `net.` with a head beside it) or wrap it
(`module.`, `_orig_mod.`): the towers are looked for under every prefix, and what lies beside them is left out.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lexel.checkpoints.formats.tokenizer import Style
from lexel.errors import ModelError, UsageError

IMAGE_NAMES: dict[Style, str] = {"open_clip": "visual.", "huggingface": "vision_model."}
TEXT_NAMES: dict[Style, tuple[str, ...]] = {
    "open_clip": ("token_embedding.", "transformer.resblocks.", "text."),
    "huggingface": ("text_model.",),
}
WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")  # anywhere in a name
TEMPERATURE = ("logit_scale", "logit_bias")
# How image towers of other kinds name their first tensors: CLIP's and transformers' own, timm's.
BARE_IMAGE_NAMES = (
    "conv1.weight",
    "class_embedding",
    "embeddings.patch_embedding.",
    "patch_embed.",
    "stem.",
    "layer1.",
)
USUAL_LOGIT_SCALE, USUAL_LOGIT_BIAS = np.log(100.0), -10.0  # where nearly all CLIPs end, and where SigLIP begins
_PART = re.compile(r"-\d+-of-\d+\.")


@dataclass(frozen=True)
class TwoTowers:
    """The tensors of a model with two towers under its library's own names, without prefixes."""

    style: Style
    arrays: dict[str, np.ndarray]
    notes: tuple[str, ...] = ()  # what was left out
    warnings: tuple[str, ...] = ()  # what cannot be had without what the file lacks


@dataclass(frozen=True)
class _Candidate:
    style: Style
    prefix: str
    image: int  # tensors
    text: int


def find_towers(arrays: Mapping[str, np.ndarray], where: str) -> TwoTowers:
    """The two towers among the tensors of the file `where`.

    Raises UsageError for one tower alone, an adapter or a part of a model, ModelError where there is no tower.
    """
    arrays = {_unwrapped(name): array for name, array in arrays.items()}
    names = list(arrays)
    candidates = [found for found in _candidates(names) if found.image and found.text]
    if not candidates:
        raise _no_two_towers(names, where)
    chosen = max(candidates, key=lambda found: found.image + found.text)  # of equal ones the first
    prefix = chosen.prefix
    inside = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    beside = {name: array for name, array in arrays.items() if not name.startswith(prefix)}
    for temperature in TEMPERATURE:  # of the larger model, where it computes the loss
        found = [name for name in beside if name.rpartition(".")[2] == temperature]
        if temperature not in inside and len(found) == 1:
            inside[temperature] = beside.pop(found[0])
    notes = []
    if len(candidates) > 1:
        others = ", ".join(f'"{other.prefix}"' for other in candidates if other is not chosen)
        notes.append(f'{where} holds several models: the one under "{prefix}" is taken, not {others}.')
    elif beside:
        notes.append(f'Beside the model "{prefix}" {len(beside)} tensors are left out, such as {next(iter(beside))}.')
    if chosen.style == "huggingface":
        inside = {name.replace("vision_model.vision_model.", "vision_model.", 1): a for name, a in inside.items()}
    return TwoTowers(chosen.style, inside, tuple(notes))


def with_temperature(towers: TwoTowers, logit_bias: bool, where: str) -> TwoTowers:
    """The same with the usual logit scale, and bias where the model has one, in place of those that the file lacks."""
    usual = {"logit_scale": USUAL_LOGIT_SCALE}
    if logit_bias:
        usual["logit_bias"] = USUAL_LOGIT_BIAS
    lacking = {name: np.array(value, np.float32) for name, value in usual.items() if name not in towers.arrays}
    if not lacking:
        return towers
    warning = (
        f"{where} holds no {' and no '.join(lacking)}: embeddings, cosines and rankings are right, but probabilities "
        f"are those of the usual value ({', '.join(f'{value:.4g}' for value in lacking.values())})."
    )
    return TwoTowers(towers.style, towers.arrays | lacking, towers.notes, (*towers.warnings, warning))


def _unwrapped(name: str) -> str:
    for wrapper in WRAPPERS:
        name = name.replace(wrapper, "")
    return name


def _candidates(names: Sequence[str]) -> list[_Candidate]:
    """Every prefix under which there is an image tower, in the order of the file."""
    found: dict[tuple[Style, str], None] = {}
    for style, mark in IMAGE_NAMES.items():
        for name in names:
            at = 0 if name.startswith(mark) else name.find(f".{mark}") + 1
            if at or name.startswith(mark):
                found[style, name[:at]] = None
    return [
        _Candidate(
            style,
            prefix,
            sum(name.startswith(prefix + IMAGE_NAMES[style]) for name in names),
            sum(name.startswith(tuple(prefix + text for text in TEXT_NAMES[style])) for name in names),
        )
        for style, prefix in found
    ]


def _no_two_towers(names: Sequence[str], where: str) -> ModelError | UsageError:
    """What there is instead, and how to go on."""
    some = ", ".join(names[:3])
    if "image.projection.weight" in names or "text.position_embedding" in names:
        return UsageError(f"{where} is part of a Lexel model folder. Give the folder.")
    if any(name.startswith("image_encoder.model.") for name in names):
        return UsageError(
            f"{where} is in Apple's own format. Take the model from OpenCLIP's list: lexel models list --pretrained"
        )
    if any(".lora_A." in name or ".lora_B." in name or name.startswith("base_model.model.") for name in names):
        return adapter_error(where)
    if _PART.search(where):
        return UsageError(f"{where} is one of several files of a model. Give the folder that holds them all.")
    has_text = any("token_embedding." in name or "text_model." in name for name in names)
    has_image = bool(_candidates(names)) or any(name.startswith(BARE_IMAGE_NAMES) for name in names)
    if has_text == has_image:
        return ModelError(f"{where} holds tensors, but of no model with two towers: {some} …")
    here, missing = ("a text tower", "image tower") if has_text else ("an image tower", "text tower")
    return UsageError(
        f"{where} holds {here} and no {missing} ({some} …).\n"
        "  Lexel needs both, trained together: give the checkpoint of the whole model. What one tower alone can do, "
        "the library that wrote it does (timm, transformers, OpenCLIP)."
    )


def adapter_error(where: str, base: str = "the base model") -> UsageError:
    """The error for an adapter of PEFT, which is no model but changes to one."""
    return UsageError(
        f"{where} is an adapter of PEFT: changes to {base}, to be merged into it first. Where peft is installed:\n"
        '  model = PeftModel.from_pretrained(AutoModel.from_pretrained("BASE"), "ADAPTER")\n'
        '  model.merge_and_unload().save_pretrained("MERGED")   and then give MERGED.'
    )
