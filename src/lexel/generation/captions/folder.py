"""The captioner's folder: all that is needed to caption with the CLIP that it was trained for.

    captioner.json      format, sizes, facts of the training, the CLIP's fingerprint, SHA-256 of the files below
    weights.safetensors the decoder
    tokenizer.json      the vocabulary of its sentences
    memory.safetensors  vectors of texts, float16
    texts.json          the texts themselves
    training/           the run: log, and snapshots until it has finished

`captioner.json` is written last: where it is, the captioner is whole.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field
from safetensors import SafetensorError
from safetensors.numpy import load_file

from lexel.checkpoints.model_folder.pieces import check_piece, read_description
from lexel.config import Config
from lexel.errors import ModelError, UsageError, did_you_mean
from lexel.files import make_folder, read_json_object, write_atomically
from lexel.generation.captions.decoder import DecoderConfig
from lexel.generation.captions.memory import Memory
from lexel.identity import sha256_of
from lexel.safetensors_bytes import safetensors_bytes
from lexel.tokenizer import Tokenizer
from lexel.tokenizer.tokenizer import END, SPECIAL

CAPTIONER_FORMAT = 1
DESCRIPTION, DECODER_WEIGHTS, VOCABULARY = "captioner.json", "weights.safetensors", "tokenizer.json"
MEMORY, TEXTS, TRAINING = "memory.safetensors", "texts.json", "training"
PIECES = (DECODER_WEIGHTS, VOCABULARY, MEMORY, TEXTS)


class CaptionerFacts(Config):
    """What `captioner.json` says."""

    format: int = CAPTIONER_FORMAT
    kind: str = "lexel captioner"
    model: str | None  # the CLIP, as `lexel.load` takes it, where it can be loaded again
    model_name: str
    fingerprint: str  # of the CLIP
    decoder: DecoderConfig
    temperature: float = Field(gt=0)  # of the projection onto the memory
    learned_pictures: bool  # vectors of pictures were learned from too, so that they need no projection
    source: str  # what was learned from
    captions: int  # distinct ones that were learned from
    commonest: str  # of them
    steps: int
    sha256: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class CaptionerParts:
    """A captioner as its folder holds it."""

    facts: CaptionerFacts
    weights: dict[str, np.ndarray]
    tokenizer: Tokenizer
    memory: Memory


def save_captioner(folder: Path, parts: CaptionerParts) -> None:
    """Write the captioner beside its run. Until the last file is there the folder holds none."""
    make_folder(folder)
    (folder / DESCRIPTION).unlink(missing_ok=True)
    write_atomically(folder / DECODER_WEIGHTS, safetensors_bytes(parts.weights))
    write_atomically(folder / VOCABULARY, parts.tokenizer.to_json())
    write_atomically(folder / MEMORY, safetensors_bytes({"vectors": parts.memory.vectors}))
    write_atomically(folder / TEXTS, json.dumps({"texts": parts.memory.texts}, ensure_ascii=False))
    facts = parts.facts.model_copy(update={"sha256": {piece: sha256_of(folder / piece) for piece in PIECES}})
    write_atomically(folder / DESCRIPTION, facts.model_dump_json(indent=2) + "\n")


def load_captioner(folder: Path) -> CaptionerParts:
    """Read a captioner. Raises UsageError where there is none, ModelError where it is damaged."""
    facts = read_facts(folder)
    for piece in PIECES:
        check_piece(folder, piece, facts.sha256.get(piece, ""), "saved")
    try:
        weights = load_file(folder / DECODER_WEIGHTS)
        vectors = load_file(folder / MEMORY)["vectors"]
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise ModelError(f"{folder} cannot be read: {error}. Copy the whole folder again.") from None
    texts = read_json_object(folder / TEXTS, "Copy the whole folder again.").get("texts")
    if not isinstance(texts, list) or vectors.shape != (len(texts), facts.decoder.embedding):
        raise ModelError(f"{folder}: its texts and their vectors do not fit together. Copy the whole folder again.")
    if not all(np.isfinite(array).all() for array in (*weights.values(), vectors)):
        raise ModelError(f"{folder} holds numbers that are not finite. Train it again.")
    words = Tokenizer.load(folder / VOCABULARY, facts.decoder.context_length, SPECIAL.index(END))
    return CaptionerParts(facts, weights, words, Memory(texts, vectors, facts.temperature))


def read_facts(folder: Path) -> CaptionerFacts:
    """What the folder says of itself. Raises UsageError where it is no captioner's."""
    path = folder / DESCRIPTION
    if not path.is_file():
        raise UsageError(f"{folder} is no captioner: {_why_none(folder)}")
    return read_description(path, CaptionerFacts, CAPTIONER_FORMAT, "a captioner")


def _why_none(folder: Path) -> str:
    if (folder / TRAINING).is_dir():
        return "its training has not finished. The same lexel caption train command goes on with it."
    if (folder / "model.json").is_file():
        return "it is a model folder. Make a captioner for it: lexel caption train MODEL SOURCE -o captioner/"
    if folder.exists():
        return f"it has no {DESCRIPTION}. lexel caption train MODEL SOURCE -o captioner/ makes one."
    siblings = [entry.name for entry in folder.parent.iterdir() if entry.is_dir()] if folder.parent.is_dir() else []
    return f"there is no such folder.{did_you_mean(folder.name, siblings)}"
