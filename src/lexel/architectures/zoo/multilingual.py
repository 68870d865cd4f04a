"""Text towers for many languages: MetaCLIP 2's with a large vocabulary, and others' that transformers builds."""

from typing import Literal

from pydantic import JsonValue

from lexel.architectures.config import CLIPConfig, HuggingFaceTextConfig, ImageConfig, VisionTransformerConfig
from lexel.architectures.zoo.parts import VIT_B_32, VIT_BIGG_14, VIT_H_14, at_size, text, with_quick_gelu
from lexel.architectures.zoo.siglip import siglip_image


def _worldwide(embedding: int, image: VisionTransformerConfig, depth: int) -> CLIPConfig:
    """XLM-V's vocabulary, whose captions end in 2."""
    tower = text(embedding, depth).model_copy(update={"vocabulary_size": 901629, "end_of_text": 2})
    return CLIPConfig(embedding=embedding, image=image, text=tower)


_H_14_WORLDWIDE = _worldwide(1024, VIT_H_14, 24)
WORLDWIDE = {
    "ViT-H-14-worldwide": _H_14_WORLDWIDE,
    "ViT-H-14-worldwide-quickgelu": with_quick_gelu(_H_14_WORLDWIDE),
    "ViT-H-14-worldwide-378": _worldwide(1024, at_size(VIT_H_14, 378), 24),
    "ViT-bigG-14-worldwide": _worldwide(1280, VIT_BIGG_14, 32),
    "ViT-bigG-14-worldwide-378": _worldwide(1280, at_size(VIT_BIGG_14, 378), 32),
}


def _roberta(model_type: str, vocabulary_size: int, width: int, depth: int) -> dict[str, JsonValue]:
    return {
        "model_type": model_type,
        "vocab_size": vocabulary_size,
        "hidden_size": width,
        "num_hidden_layers": depth,
        "num_attention_heads": width // 64,
        "intermediate_size": 4 * width,
        "hidden_act": "gelu",
        "max_position_embeddings": 514,
        "type_vocab_size": 1,
        "layer_norm_eps": 1e-5,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
    }


def _nllb(depth: int, hidden: int) -> dict[str, JsonValue]:
    """Only the encoder is used; the decoder of the translator is as deep."""
    return {
        "model_type": "m2m_100",
        "vocab_size": 256206,
        "d_model": 1024,
        "encoder_layers": depth,
        "encoder_attention_heads": 16,
        "encoder_ffn_dim": hidden,
        "decoder_layers": depth,
        "decoder_attention_heads": 16,
        "decoder_ffn_dim": hidden,
        "activation_function": "relu",
        "max_position_embeddings": 1024,
        "scale_embedding": True,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
    }


def _hugging_face(
    model: dict[str, JsonValue], pooling: Literal["class", "mean"], projection: Literal["linear", "mlp"]
) -> HuggingFaceTextConfig:
    vocabulary_size = model["vocab_size"]
    assert isinstance(vocabulary_size, int)
    return HuggingFaceTextConfig(
        model=model,
        pooling=pooling,
        projection=projection,
        vocabulary_size=vocabulary_size,
        end_of_text=2,
        pad_id=1,
    )


def _clip(embedding: int, image: ImageConfig, text: HuggingFaceTextConfig, *, logit_bias: bool = False) -> CLIPConfig:
    return CLIPConfig(embedding=embedding, image=image, text=text, logit_bias=logit_bias)


_ROBERTA = _hugging_face(_roberta("roberta", 50265, 768, 12), "mean", "mlp")
_XLM_R_BASE = _hugging_face(_roberta("xlm-roberta", 250002, 768, 12), "mean", "mlp")
_XLM_R_LARGE = _hugging_face(_roberta("xlm-roberta", 250002, 1024, 24), "mean", "mlp")
_NLLB_BASE = _hugging_face(_nllb(12, 4096), "class", "linear")
_NLLB_LARGE = _hugging_face(_nllb(24, 8192), "class", "linear")

HUGGING_FACE = {
    "roberta-ViT-B-32": with_quick_gelu(_clip(512, VIT_B_32, _ROBERTA)),
    "xlm-roberta-base-ViT-B-32": _clip(512, VIT_B_32, _XLM_R_BASE),
    "xlm-roberta-large-ViT-H-14": _clip(1024, VIT_H_14, _XLM_R_LARGE),
    "nllb-clip-base": _clip(512, VIT_B_32, _NLLB_BASE),
    "nllb-clip-large": _clip(1024, VIT_H_14, _NLLB_LARGE),
    "nllb-clip-base-siglip": _clip(768, siglip_image("B", 16, 384, "gelu"), _NLLB_BASE, logit_bias=True),
    "nllb-clip-large-siglip": _clip(1152, siglip_image("SO400M", 14, 384, "gelu"), _NLLB_LARGE, logit_bias=True),
}
