"""Which files of a model repository are needed, chosen by their names alone."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lexel.checkpoints.hub.pretrained import OPEN_CLIP_WEIGHTS

TRANSFORMERS_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
OPEN_CLIP_CONFIG = "open_clip_config.json"

# A configuration and the weights that go with it, best first. Repositories often hold two copies: OpenCLIP's with its
# own configuration beside transformers', or timm's model.safetensors, which is the image tower alone.
_FORMATS = (
    ("model.json", ("weights.safetensors",)),
    (OPEN_CLIP_CONFIG, (OPEN_CLIP_WEIGHTS[0], "open_clip_pytorch_model.safetensors", OPEN_CLIP_WEIGHTS[1])),
    ("config.json", TRANSFORMERS_WEIGHTS),
    (OPEN_CLIP_CONFIG, TRANSFORMERS_WEIGHTS),
)
_VOCABULARIES = ("tokenizer.json", "vocab.txt", "merges.txt", "spiece.model", "sentencepiece.bpe.model")
_BESIDE_VOCABULARY = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json")
_OTHERS = ("preprocessor_config.json", "training-pictures.safetensors")
_BARE = re.compile(r"(?!.*-\d+-of-\d+\.)[^/]+\.(safetensors|bin|pt|pth)")  # not a part of split weights


@dataclass(frozen=True)
class Choice:
    """The files of one model: its configuration, if it has one, and its weights, one file or an index and its parts."""

    config: str | None
    weights: tuple[str, ...]


def choose(files: Collection[str]) -> Choice | None:
    """The model among a repository's files: OpenCLIP's before transformers', safetensors before pickles."""
    for config, names in _FORMATS:
        if config in files and (weights := first_whole(files, names)):
            return Choice(config, weights)
    bare = [file for file in files if _BARE.fullmatch(file)]
    return Choice(None, (bare[0],)) if len(bare) == 1 else None


def first_whole(files: Collection[str], names: Sequence[str]) -> tuple[str, ...]:
    """The first of the named weights that is there: (file,), or (index, part, part …) with no part missing, or ()."""
    for name in names:
        if name in files:
            return (name,)
        stem, _, kind = name.rpartition(".")
        parts = sorted(file for file in files if re.fullmatch(rf"{re.escape(stem)}-\d+-of-\d+\.{kind}", file))
        if f"{name}.index.json" in files and parts and len(parts) == int(parts[0].split("-")[-1].split(".")[0]):
            return (f"{name}.index.json", *parts)
    return ()


def beside(files: Collection[str]) -> list[str]:
    """The small files that go with a model: tokenizer, pixels and, in Lexel's format, what it has learned from."""
    return [name for name in (*_VOCABULARIES, *_BESIDE_VOCABULARY, *_OTHERS) if name in files]


def has_tokenizer(files: Collection[str]) -> bool:
    return any(name in files for name in _VOCABULARIES)
