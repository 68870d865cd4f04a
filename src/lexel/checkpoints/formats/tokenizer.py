"""The tokenizer that belongs to a foreign model: which of the files around it, under which library's rules."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from lexel.architectures.config import CLIPConfig, TextTransformerConfig
from lexel.checkpoints.formats.open_clip.text_models import NOTE
from lexel.checkpoints.hub.choose_files import has_tokenizer
from lexel.checkpoints.hub.locate import cached_clip_tokenizer
from lexel.errors import ModelError, UsageError
from lexel.tokenizer import TextRules, Tokenizer, clip_tokenizer, huggingface_tokenizer
from lexel.tokenizer.clip import is_merges

Style = Literal["open_clip", "huggingface"]  # whose files and rules
CLIP_VOCABULARY, CLIP_END = 49408, 49407


def find_tokenizer(
    folder: Path | None,
    given: Path | None,
    architecture: CLIPConfig,
    config: Mapping[str, Any],
    style: Style,
) -> Tokenizer | None:
    """The tokenizer from what the user gave, else from the model's folder, else None.

    CLIP's own, where neither has it, is taken from the cache, if a checkpoint that was pulled has left it there.
    """
    text = architecture.text
    is_clip = text.vocabulary_size == CLIP_VOCABULARY and text.end_of_text == CLIP_END
    beside = folder if folder and has_tokenizer([entry.name for entry in folder.iterdir()]) else None
    path = given or beside or (cached_clip_tokenizer() if is_clip else None)
    if path is None:
        return None
    if is_clip:
        found = clip_tokenizer(path, text.context_length)
    elif is_merges(path):
        found = _from_merges(path, architecture)
    elif "text_rules" in config.get(NOTE, {}):
        file = path if path.is_file() else path / "tokenizer.json"
        found = Tokenizer.load(file, text.context_length, text.end_of_text, rules=_noted_rules(config[NOTE]))
    else:
        found = _from_huggingface(path, architecture, config, style)
    pad_id = (text.pad_id if found.pad_id is None else found.pad_id) if text.sees_padding else None
    return Tokenizer(found.backend, text.context_length, found.end_of_text, pad_id, found.rules, text.pad_id or 0)


def _from_merges(path: Path, architecture: CLIPConfig) -> Tokenizer:
    """CLIP's tokenizer for a model whose vocabulary is as large as CLIP's, or padded to a round number."""
    found = clip_tokenizer(path, architecture.text.context_length)
    if found.vocabulary_size > architecture.text.vocabulary_size:
        raise UsageError(
            f"{path} is a list of merges that makes {found.vocabulary_size:,} tokens, but the model knows "
            f"{architecture.text.vocabulary_size:,}.\n  {tokenizer_advice(architecture)}."
        )
    return found


def tokenizer_advice(architecture: CLIPConfig) -> str:
    """What to give for a model that came without its tokenizer; it is read by `find_tokenizer`."""
    text = architecture.text
    if text.vocabulary_size == CLIP_VOCABULARY and text.end_of_text == CLIP_END:
        return "Give CLIP's merges (bpe_simple_vocab_16e6.txt.gz) or its tokenizer.json"
    return "Give the tokenizer.json, or the folder with the tokenizer's files, that the model was trained with"


def _from_huggingface(path: Path, architecture: CLIPConfig, config: Mapping[str, Any], style: Style) -> Tokenizer:
    text = architecture.text
    if style == "huggingface":
        rules, lower = _transformers_rules(config)
    else:
        rules, lower = (_open_clip_rules(config) if config else _usual_rules(architecture)), False
    return huggingface_tokenizer(path, text.context_length, rules=rules, padded=text.sees_padding, lower=lower)


def fit_tokens(architecture: CLIPConfig, tokenizer: Tokenizer) -> CLIPConfig:
    """The architecture with the end and the padding that its tokenizer has, where configurations only presume them.

    Raises ModelError where the tower looks for an end that this tokenizer never gives.
    """
    text = architecture.text
    changes = {"end_of_text": tokenizer.end_of_text}
    if isinstance(text, TextTransformerConfig) and text.pad_id is not None and tokenizer.pad_id is not None:
        changes["pad_id"] = tokenizer.pad_id
    if text.pooling == "end" and tokenizer.end_of_text != text.end_of_text:
        raise ModelError(
            f"The tokenizer ends a caption by {tokenizer.end_of_text}, but the model looks for {text.end_of_text}.\n"
            "  Give the tokenizer that the model was trained with."
        )
    return architecture.model_copy(update={"text": text.model_copy(update=changes)})


def _noted_rules(note: Mapping[str, Any]) -> TextRules:
    try:
        return TextRules.model_validate(note["text_rules"])
    except (KeyError, TypeError, ValidationError):
        raise ModelError("The tokenizer's rules in the configuration are damaged. Convert the model again.") from None


def _open_clip_rules(config: Mapping[str, Any]) -> TextRules:
    settings = config.get("model_cfg", config).get("text_cfg", {}).get("tokenizer_kwargs") or {}
    cleaning = {"canonicalize": "canonical", "whitespace": "whitespace", "lower": "lower"}
    if settings.get("clean", "whitespace") not in cleaning:
        raise UsageError(f"The configuration cleans captions by {settings['clean']}, which Lexel does not.")
    return TextRules.model_validate(
        {
            "cleaning": cleaning[settings.get("clean", "whitespace")],
            "special_names": "anywhere",
            "drop_end": bool(settings.get("strip_sep_token", False)),
        }
    )


def _usual_rules(architecture: CLIPConfig) -> TextRules:
    """OpenCLIP's rules for weights that come without a configuration: SigLIP's, CLIPA's, or those of all others."""
    text = architecture.text
    if isinstance(text, TextTransformerConfig) and text.pooling == "last":
        if architecture.logit_bias:
            return TextRules(cleaning="canonical", special_names="anywhere")
        return TextRules(cleaning="whitespace", special_names="anywhere", drop_end=True)
    return TextRules(cleaning="whitespace", special_names="anywhere")


def _transformers_rules(config: Mapping[str, Any]) -> tuple[TextRules, bool]:
    """Rules, and whether case is folded where the tokenizer's own files do not say so."""
    if config.get("model_type") == "siglip" and (config.get("text_config") or {}).get("vocab_size", 32000) < 256_000:
        return TextRules(cleaning="siglip", special_names="anywhere"), False
    return TextRules(special_names="anywhere"), config.get("model_type") in ("siglip", "siglip2")


def write_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """The files that transformers reads a tokenizer from."""
    if tokenizer.rules.special_names == "alone":
        settings = _write_clip(tokenizer, folder)
    else:
        (folder / "tokenizer.json").write_text(tokenizer.to_json(), encoding="utf-8")
        end = tokenizer.backend.id_to_token(tokenizer.end_of_text)
        pad = tokenizer.backend.id_to_token(tokenizer.pad_id or 0)
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": end, "pad_token": pad}
        if tokenizer.rules.drop_end:
            settings["sep_token"] = end
    settings["model_max_length"] = tokenizer.context_length
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _write_clip(tokenizer: Tokenizer, folder: Path) -> dict[str, Any]:
    """CLIP's vocabulary and merges, with the names that transformers gives to start and end."""
    model = json.loads(tokenizer.to_json())["model"]
    names = {tokenizer.end_of_text - 1: "<|startoftext|>", tokenizer.end_of_text: "<|endoftext|>"}
    vocabulary = {names.get(number, token): number for token, number in model["vocab"].items()}
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
    start, end = names.values()
    return {
        "tokenizer_class": "CLIPTokenizer",
        "bos_token": start,
        "eos_token": end,
        "unk_token": end,
        "pad_token": end,
    }
