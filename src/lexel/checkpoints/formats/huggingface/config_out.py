"""Lexel's configurations as transformers' `config.json` and `preprocessor_config.json`, where it has such a model."""

from typing import Any

from lexel.architectures.config import (
    CLIPConfig,
    HuggingFaceTextConfig,
    ImageConfig,
    TextConfig,
    TextTransformerConfig,
    VisionTransformerConfig,
)
from lexel.checkpoints.formats.huggingface.config_in import ACTIVATIONS, TEXT_TYPES
from lexel.checkpoints.formats.huggingface.processor_in import RESAMPLING
from lexel.checkpoints.formats.open_clip.config_out import cannot
from lexel.checkpoints.formats.open_clip.text_models import NOTE
from lexel.errors import UsageError
from lexel.images import Preprocessing

WORDS = {ours: theirs for theirs, ours in reversed(ACTIVATIONS.items())}
OLD_MISTAKE = 2  # an eos_token_id that transformers takes for a mistake of old files, and looks for the highest id


def huggingface_config(architecture: CLIPConfig) -> dict[str, Any]:
    """The content of `config.json`. Raises UsageError that names what transformers' models do not have."""
    tokens = {"end_of_text": architecture.text.end_of_text, "pad_id": architecture.text.pad_id}
    return {**_model(architecture), NOTE: tokens}


def _model(architecture: CLIPConfig) -> dict[str, Any]:
    image, text = architecture.image, architecture.text
    if isinstance(image, VisionTransformerConfig) and image.pooling == "map":
        return _siglip(architecture)
    if architecture.logit_bias:
        raise _cannot("it has a logit bias, but not SigLIP's towers")
    config = {"projection_dim": architecture.embedding, "vision_config": _clip_vision(image)}
    if isinstance(text, HuggingFaceTextConfig):
        return config | _huggingface_text(text)
    return config | {
        "model_type": "clip",
        "architectures": ["CLIPModel"],
        "text_config": _clip_text(text),
    }


def _cannot(feature: str) -> UsageError:
    return cannot(feature, "transformers")


def _clip_vision(image: ImageConfig) -> dict[str, Any]:
    if not isinstance(image, VisionTransformerConfig):
        raise _cannot("its image tower is no Vision Transformer")
    for is_so, feature in (
        (image.stem != "patch", "its image tower begins with a convolutional stem"),
        (image.pooling != "class", f"its image tower pools by {image.pooling}"),
        (not image.pre_norm, "its image tower has no norm before the blocks"),
        (image.patch_bias, "its patches have a bias"),
        (image.layer_scale, "its image tower has learned gains of its branches"),
        (not image.projection, "its image tower has no projection"),
    ):
        if is_so:
            raise _cannot(feature)
    return {
        "model_type": "clip_vision_model",
        **_tower(image),
        "image_size": image.image_size,
        "patch_size": image.patch_size,
        "num_channels": 3,
    }


def _clip_text(text: TextTransformerConfig) -> dict[str, Any]:
    for is_so, feature in (
        (not text.causal, "its text tower is not causal"),
        (text.pooling != "end", f"its text tower pools by {text.pooling}"),
        (text.projection != "linear", "its text projection is not a plain linear one"),
        (text.layer_scale, "its text tower has learned gains of its branches"),
        (text.end_of_text == OLD_MISTAKE, f"its captions end with the token {OLD_MISTAKE}"),
    ):
        if is_so:
            raise _cannot(feature)
    return {
        "model_type": "clip_text_model",
        **_tower(text),
        "vocab_size": text.vocabulary_size,
        "max_position_embeddings": text.context_length,
        "bos_token_id": max(text.end_of_text - 1, 0),
        "eos_token_id": text.end_of_text,
        "pad_token_id": text.end_of_text,
    }


def _siglip(architecture: CLIPConfig) -> dict[str, Any]:
    image, text = architecture.image, architecture.text
    assert isinstance(image, VisionTransformerConfig)
    if not isinstance(text, TextTransformerConfig) or (text.pooling, text.projection) != ("last", "linear_bias"):
        raise _cannot("its image tower is SigLIP's and its text tower is not")
    for is_so, feature in (
        (text.causal, "its text tower is causal"),
        (text.layer_scale or image.layer_scale, "its towers have learned gains of their branches"),
        (not architecture.logit_bias, "it has no logit bias"),
        (image.pooling_heads not in (None, image.heads), "its pooling has other heads than its blocks"),
        (image.pre_norm or not image.patch_bias or not image.norm_tokens or image.projection, "its image tower is not "
         "quite SigLIP's"),
    ):  # fmt: skip
        if is_so:
            raise _cannot(feature)
    return {
        "model_type": "siglip",
        "architectures": ["SiglipModel"],
        "vision_config": {
            "model_type": "siglip_vision_model",
            **_tower(image),
            "image_size": image.image_size,
            "patch_size": image.patch_size,
            "num_channels": 3,
        },
        "text_config": {
            "model_type": "siglip_text_model",
            **_tower(text),
            "vocab_size": text.vocabulary_size,
            "max_position_embeddings": text.context_length,
            "projection_size": architecture.embedding,
            "bos_token_id": text.end_of_text,
            "eos_token_id": text.end_of_text,
            "pad_token_id": text.pad_id,
        },
    }


def _huggingface_text(text: TextConfig) -> dict[str, Any]:
    assert isinstance(text, HuggingFaceTextConfig)
    kind = text.model["model_type"]
    if text.projection == "linear" and text.pooling == "pooler" and kind in TEXT_TYPES:
        return {
            "model_type": "vision-text-dual-encoder",
            "architectures": ["VisionTextDualEncoderModel"],
            "text_config": text.model,
        }
    if text.projection == "linear" and text.pooling == "class" and kind == "bert":
        return {
            "model_type": "chinese_clip",
            "architectures": ["ChineseCLIPModel"],
            "text_config": {**text.model, "model_type": "chinese_clip_text_model"},
        }
    raise _cannot(f"its text tower is {kind} with {text.pooling} pooling and the projection {text.projection}")


def _tower(tower: VisionTransformerConfig | TextTransformerConfig) -> dict[str, Any]:
    return {
        "hidden_size": tower.width,
        "intermediate_size": tower.hidden,
        "num_hidden_layers": tower.depth,
        "num_attention_heads": tower.heads,
        "hidden_act": WORDS[tower.activation],
        "layer_norm_eps": tower.norm_epsilon,
        "attention_dropout": 0.0,
    }


def huggingface_processor(preprocessing: Preprocessing, model_type: str) -> dict[str, Any]:
    """The content of `preprocessor_config.json`."""
    if preprocessing.resize == "pad":
        raise _cannot("its pictures are made square by adding edges")
    side = preprocessing.image_size
    square = {"height": side, "width": side}
    crops = preprocessing.resize == "shortest"
    kind = {"siglip": "Siglip", "chinese_clip": "ChineseCLIP"}.get(model_type, "CLIP")
    processor: dict[str, Any] = {
        "image_processor_type": f"{kind}ImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": side} if crops else square,
        "resample": next(code for code, word in RESAMPLING.items() if word == preprocessing.interpolation),
        "do_center_crop": crops,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(preprocessing.mean),
        "image_std": list(preprocessing.std),
        NOTE: {"convention": preprocessing.convention},
    }
    return processor | ({"crop_size": square} if crops else {})
