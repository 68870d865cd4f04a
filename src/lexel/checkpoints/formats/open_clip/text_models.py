"""The text models of Hugging Face that OpenCLIP's published configurations name, and the tokens that frame captions.

OpenCLIP's configurations say only the name of a text model or of a tokenizer and look the rest up on the hub. These
are the facts behind the names.
"""

from dataclasses import dataclass
from typing import Any

from lexel.architectures.config import HuggingFaceTextConfig
from lexel.architectures.zoo import ARCHITECTURES


@dataclass(frozen=True)
class Tokens:
    """What a tokenizer puts behind a caption: the end, then padding."""

    end_of_text: int
    pad_id: int


NOTE = "lexel"  # a key that other libraries do not look at, where Lexel writes the rules of its tokenizers
CLIP_TOKENS = Tokens(end_of_text=49407, pad_id=0)
TOKENS: dict[str, Tokens] = {
    "timm/ViT-B-16-SigLIP": Tokens(1, 1),
    "timm/ViT-B-16-SigLIP-i18n-256": Tokens(1, 1),
    "google/mt5-base": Tokens(1, 0),
    "google/mt5-xl": Tokens(1, 0),
    "bert-base-uncased": Tokens(102, 0),
    "roberta-base": Tokens(2, 1),
    "xlm-roberta-base": Tokens(2, 1),
    "xlm-roberta-large": Tokens(2, 1),
    "facebook/xlm-v-base": Tokens(2, 1),
    "facebook/nllb-200-distilled-600M": Tokens(2, 1),
    "facebook/nllb-200-distilled-1.3B": Tokens(2, 1),
}
SIGLIP2_TOKENS = Tokens(end_of_text=1, pad_id=0)
SIGLIP2_VOCABULARY = 256_000  # entries: Gemma's, which no other family has


def _mt5(width: int, hidden: int, depth: int, heads: int) -> dict[str, Any]:
    return {
        "model_type": "mt5",
        "vocab_size": 250112,
        "d_model": width,
        "d_kv": 64,
        "d_ff": hidden,
        "num_layers": depth,
        "num_decoder_layers": depth,
        "num_heads": heads,
        "feed_forward_proj": "gated-gelu",
        "tie_word_embeddings": False,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "decoder_start_token_id": 0,
    }


def _of(architecture: str) -> dict[str, Any]:
    text = ARCHITECTURES[architecture].text
    assert isinstance(text, HuggingFaceTextConfig)
    return text.model


TEXT_MODELS: dict[str, dict[str, Any]] = {
    "roberta-base": _of("roberta-ViT-B-32"),
    "xlm-roberta-base": _of("xlm-roberta-base-ViT-B-32"),
    "xlm-roberta-large": _of("xlm-roberta-large-ViT-H-14"),
    "google/mt5-base": _mt5(768, 2048, 12, 12),
    "google/mt5-xl": _mt5(2048, 5120, 24, 32),
    "facebook/nllb-200-distilled-600M": _of("nllb-clip-base"),
    "facebook/nllb-200-distilled-1.3B": _of("nllb-clip-large"),
}
