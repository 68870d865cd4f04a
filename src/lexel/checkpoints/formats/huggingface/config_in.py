"""The configurations of transformers' two-tower models, and their tensors beside ours."""

from collections.abc import Iterable, Mapping
from typing import Any

from lexel.architectures.config import (
    Activation,
    CLIPConfig,
    HuggingFaceTextConfig,
    TextTransformerConfig,
    VisionTransformerConfig,
)
from lexel.checkpoints.formats.open_clip.text_models import NOTE, SIGLIP2_VOCABULARY
from lexel.checkpoints.formats.tensor_tables import Form, TensorRow, repeated, table, under
from lexel.errors import ModelError, UsageError

ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "quick_gelu": "quick_gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_new": "gelu_tanh",
}
MODEL_TYPES = ("clip", "siglip", "siglip2", "chinese_clip", "vision-text-dual-encoder")
SIGLIP_TYPES = ("siglip", "siglip2")
TEXT_TYPES = ("bert", "roberta", "xlm-roberta")

BLOCK = table(
    ("layer_norm1.*", "attention_norm.*"),
    ("self_attn.q_proj.* + self_attn.k_proj.* + self_attn.v_proj.*", "attention.qkv.*"),
    ("self_attn.out_proj.*", "attention.output.*"),
    ("layer_norm2.*", "mlp_norm.*"),
    ("mlp.fc1.*", "mlp.expand.*"),
    ("mlp.fc2.*", "mlp.contract.*"),
)
CLIP_VISION = table(
    ("embeddings.class_embedding", "class_embedding"),
    ("embeddings.patch_embedding.weight", "stem.weight"),
    ("embeddings.position_embedding.weight", "position_embedding"),
    ("pre_layrnorm.*", "pre_norm.*"),
    ("post_layernorm.*", "final_norm.*"),
)
SIGLIP_VISION = table(
    ("embeddings.patch_embedding.bias", "stem.bias"),
    ("embeddings.position_embedding.weight", "position_embedding"),
    ("post_layernorm.*", "final_norm.*"),
    ("head.probe", "pool.probe", "two ahead"),
    ("head.attention.in_proj_*", "pool.query.* + pool.key.* + pool.value.*"),
    ("head.attention.out_proj.*", "pool.output.*"),
    ("head.layernorm.*", "pool.norm.*"),
    ("head.mlp.fc1.*", "pool.mlp.expand.*"),
    ("head.mlp.fc2.*", "pool.mlp.contract.*"),
)
TEXT = table(
    ("embeddings.token_embedding.weight", "token_embedding.weight"),
    ("embeddings.position_embedding.weight", "position_embedding"),
    ("final_layer_norm.*", "final_norm.*"),
)


def huggingface_rows(config: CLIPConfig, ours: Iterable[str], *, patches: Form = "same") -> list[TensorRow]:
    """The table for a model whose tensors have the names `ours` here.

    `patches` is how the patch layer is stored: NaFlex models (Siglip2Model) have a linear layer for it.
    """
    image, text = config.image, config.text
    assert isinstance(image, VisionTransformerConfig)
    if config.logit_bias:
        return [
            *under("vision_model.", "image.", SIGLIP_VISION),
            *table(("vision_model.embeddings.patch_embedding.weight", "image.stem.weight", patches)),
            *repeated(image.depth, "vision_model.encoder.layers.N.", "image.blocks.N.", BLOCK),
            *_text(text),
            *table(("text_model.head.*", "text.projection.*")),
            *table(("logit_scale", "logit_scale", "one ahead"), ("logit_bias", "logit_bias", "one ahead")),
        ]
    return [
        *under("vision_model.", "image.", CLIP_VISION),
        *repeated(image.depth, "vision_model.encoder.layers.N.", "image.blocks.N.", BLOCK),
        *(_text(text) if isinstance(text, TextTransformerConfig) else _unchanged(ours)),
        *table(
            ("visual_projection.weight", "image.projection.weight"),
            ("text_projection.weight", "text.projection.weight"),
            ("logit_scale", "logit_scale"),
        ),
    ]


def _text(text: object) -> list[TensorRow]:
    assert isinstance(text, TextTransformerConfig)
    return [
        *under("text_model.", "text.", TEXT),
        *repeated(text.depth, "text_model.encoder.layers.N.", "text.blocks.N.", BLOCK),
    ]


def _unchanged(ours: Iterable[str]) -> list[TensorRow]:
    prefix = "text.transformer."
    return [
        TensorRow(("text_model." + name.removeprefix(prefix),), (name,)) for name in ours if name.startswith(prefix)
    ]


def read_huggingface_config(content: Mapping[str, Any]) -> CLIPConfig:
    """The architecture that a `config.json` describes. Raises ModelError for what is no two-tower model's."""
    kind = content.get("model_type")
    if kind not in MODEL_TYPES:
        raise UsageError(f'describes a model of the type "{kind}"; Lexel reads {", ".join(MODEL_TYPES)}.')
    # Old files leave out what was the default then, and the defaults have stayed.
    vision, text = _ConfigSection("vision_config", content), _ConfigSection("text_config", content)
    try:
        if kind in SIGLIP_TYPES:
            return _siglip(vision, text, content.get(NOTE) or {})
        if kind == "vision-text-dual-encoder":
            return _dual(vision, text, content.get("projection_dim", 512))
        embedding = content.get("projection_dim", 512)
        tower = _huggingface_text(text, "bert", "class") if kind == "chinese_clip" else _clip_text(text)
        return CLIPConfig(embedding=embedding, image=_clip_vision(vision), text=tower)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"does not describe a model: {' '.join(str(error).split())[:160]}.") from None


class _ConfigSection:
    """A tower's part of the configuration."""

    def __init__(self, name: str, content: Mapping[str, Any]) -> None:
        self.name = name
        self.content = {**(content.get(f"{name}_dict") or {}), **(content.get(name) or {})}

    def get(self, key: str, default: Any) -> Any:
        value = self.content.get(key)
        return default if value is None else value

    def activation(self, default: str) -> Activation:
        word = self.get("hidden_act", default)
        if word not in ACTIVATIONS:
            raise UsageError(f'sets the activation "{word}" in {self.name}, which Lexel does not have.')
        return ACTIVATIONS[word]

    def sizes(self, width: int, hidden: int, depth: int, heads: int) -> dict[str, Any]:
        found = self.get("hidden_size", width)
        hidden = self.get("intermediate_size", hidden)
        return {
            "width": found,
            "mlp_hidden": None if hidden == 4 * found else hidden,
            "depth": self.get("num_hidden_layers", depth),
            "heads": self.get("num_attention_heads", heads),
        }


def _clip_vision(part: _ConfigSection) -> VisionTransformerConfig:
    image_size, patch_size = part.get("image_size", 224), part.get("patch_size", 32)
    return VisionTransformerConfig(
        **part.sizes(768, 3072, 12, 12),
        image_size=image_size,
        patch_size=patch_size,
        drop_remainder=image_size % patch_size > 0,
        norm_epsilon=part.get("layer_norm_eps", 1e-5),
        activation=part.activation("quick_gelu"),
    )


def _clip_text(part: _ConfigSection) -> TextTransformerConfig:
    vocabulary = part.get("vocab_size", 49408)
    end = part.get("eos_token_id", 49407)
    return TextTransformerConfig(
        **part.sizes(512, 2048, 12, 8),
        context_length=part.get("max_position_embeddings", 77),
        vocabulary_size=vocabulary,
        end_of_text=vocabulary - 1 if end == 2 else end,  # 2 was a mistake of old files: there, the highest id ends
        norm_epsilon=part.get("layer_norm_eps", 1e-5),
        activation=part.activation("quick_gelu"),
    )


def _siglip(vision: _ConfigSection, text: _ConfigSection, note: Mapping[str, Any]) -> CLIPConfig:
    patch_size = vision.get("patch_size", 16)
    if vision.content.get("model_type") == "siglip2_vision_model":  # NaFlex: a number of patches instead of a size
        image_size = round(vision.get("num_patches", 256) ** 0.5) * patch_size
    else:
        image_size = vision.get("image_size", 224)
    if not vision.get("vision_use_head", True):
        raise UsageError("has no pooling head on its image tower, so it gives no embeddings.")
    sizes, text_sizes = vision.sizes(768, 3072, 12, 12), text.sizes(768, 3072, 12, 12)
    return CLIPConfig(
        embedding=sizes["width"],
        image=VisionTransformerConfig(
            **sizes,
            image_size=image_size,
            patch_size=patch_size,
            drop_remainder=image_size % patch_size > 0,
            pooling="map",
            norm_tokens=True,
            projection=False,
            pre_norm=False,
            patch_bias=True,
            norm_epsilon=vision.get("layer_norm_eps", 1e-6),
            activation=vision.activation("gelu_pytorch_tanh"),
        ),
        text=TextTransformerConfig(
            **text_sizes,
            context_length=text.get("max_position_embeddings", 64),
            vocabulary_size=text.get("vocab_size", 32000),
            **_siglip_tokens(text, note),
            causal=False,
            pooling="last",
            projection="linear_bias",
            norm_epsilon=text.get("layer_norm_eps", 1e-6),
            activation=text.activation("gelu_pytorch_tanh"),
        ),
        logit_bias=True,
    )


def _siglip_tokens(text: _ConfigSection, note: Mapping[str, Any]) -> dict[str, Any]:
    """End and padding. The files say CLIP's numbers, 49407 and 1, where nobody set them, whatever the tokenizer has."""
    usual = 0 if text.get("vocab_size", 32000) == SIGLIP2_VOCABULARY else text.get("pad_token_id", 1)
    return {"end_of_text": note.get("end_of_text", 1), "pad_id": note.get("pad_id", usual)}


def _huggingface_text(part: _ConfigSection, model_type: str, pooling: str) -> HuggingFaceTextConfig:
    model = {**part.content, "model_type": model_type}
    pad = part.get("pad_token_id", 0 if model_type == "bert" else 1)
    end = part.get("eos_token_id", 102 if model_type == "bert" else 2)
    room = part.get("max_position_embeddings", 512) - (0 if model_type == "bert" else pad + 1)
    vocabulary = part.get("vocab_size", 30522 if model_type == "bert" else 250002)
    return HuggingFaceTextConfig.model_validate(
        {
            "model": model,
            "pooling": pooling,
            "projection": "linear",
            "context_length": room,
            "vocabulary_size": vocabulary,
            "end_of_text": min(end, vocabulary - 1),
            "pad_id": pad,
        }
    )


def _dual(vision: _ConfigSection, text: _ConfigSection, embedding: int) -> CLIPConfig:
    image_type, text_type = vision.content.get("model_type"), text.content.get("model_type")
    if image_type != "clip_vision_model":
        raise UsageError(f'has an image tower of the type "{image_type}"; beside a text model Lexel reads CLIP\'s.')
    if text_type not in TEXT_TYPES:
        raise UsageError(f'has a text tower of the type "{text_type}"; Lexel reads {", ".join(TEXT_TYPES)}.')
    return CLIPConfig(
        embedding=embedding, image=_clip_vision(vision), text=_huggingface_text(text, text_type, "pooler")
    )
