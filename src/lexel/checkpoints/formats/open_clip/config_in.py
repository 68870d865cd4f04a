"""OpenCLIP's configurations, `open_clip_config.json` and the older bare kind, to an architecture and preprocessing."""

from collections.abc import Mapping
from typing import Any, Literal

from lexel.architectures.config import (
    Activation,
    CLIPConfig,
    HuggingFaceTextConfig,
    ImageConfig,
    ResNetConfig,
    TextConfig,
    TextTransformerConfig,
    TimmConfig,
    VisionTransformerConfig,
)
from lexel.checkpoints.formats.open_clip.text_models import (
    CLIP_TOKENS,
    NOTE,
    SIGLIP2_TOKENS,
    SIGLIP2_VOCABULARY,
    TEXT_MODELS,
    TOKENS,
    Tokens,
)
from lexel.checkpoints.formats.open_clip.timm_towers import CONVNEXT, SIGLIP
from lexel.errors import ModelError, UsageError
from lexel.images import Preprocessing

# Settings that no published weights use, or that training alone heeds, by what they are when they do nothing.
NEUTRAL: dict[str, tuple[object, ...]] = {
    "block_type": (None, "default"),
    "qk_norm": (False,),
    "scaled_cosine_attn": (False,),
    "scale_heads": (False,),
    "scale_attn_inner": (False,),
    "scale_attn": (False,),
    "scale_fc": (False,),
}
UNSEEN = {
    "patch_dropout", "output_tokens", "pos_embed_type", "timm_model_pretrained", "timm_drop", "timm_drop_path",
    "hf_model_pretrained", "hf_tokenizer_name", "tokenizer_kwargs", "tokenizer_mode", "final_ln_after_pool",
}  # fmt: skip
RESIZE = {"shortest": "shortest", "squash": "squash", "longest": "pad"}
POOLERS: dict[str, Literal["class", "mean", "max", "pooler"]] = {
    "mean_pooler": "mean",
    "max_pooler": "max",
    "cls_pooler": "pooler",  # where the model has a pooler, which encoders of translators have not
    "cls_last_hidden_state_pooler": "class",
}


def read_open_clip_config(content: Mapping[str, Any]) -> tuple[CLIPConfig, Preprocessing]:
    """Architecture and preprocessing. Raises ModelError for what is no such configuration.

    Settings that would change the numbers and that Lexel's towers do not have are refused, not dropped.
    """
    model = content.get("model_cfg", content)
    try:
        vision, text = dict(model["vision_cfg"]), dict(model["text_cfg"])
        quick_gelu = bool(model.get("quick_gelu", False))
        architecture = CLIPConfig(
            embedding=model["embed_dim"],
            image=_image(_Settings("vision_cfg", vision), quick_gelu),
            text=_text(_Settings("text_cfg", text), quick_gelu, _noted(content)),
            logit_bias=model.get("init_logit_bias") is not None,
        )
        convention = (content.get(NOTE) or {}).get("convention", "open_clip")
        preprocessing = _preprocessing(content.get("preprocess_cfg") or {}, architecture.image.image_size, convention)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"is no configuration of OpenCLIP: {' '.join(str(error).split())[:160]}.") from None
    return architecture, preprocessing


class _Settings:
    """A part of the configuration, from which each setting is taken once; what is left is not understood."""

    def __init__(self, name: str, content: dict[str, Any]) -> None:
        self.name = name
        self.content = content

    def take(self, key: str, default: Any = None) -> Any:
        value = self.content.pop(key, default)
        return default if value is None else value

    def finish(self) -> None:
        for key, value in self.content.items():
            if key not in UNSEEN and value not in NEUTRAL.get(key, (None,)):
                raise UsageError(f"{self.name} sets {key} to {value!r}, which Lexel's towers cannot do.")


def _image(settings: _Settings, quick_gelu: bool) -> ImageConfig:
    image_size = settings.take("image_size", 224)
    if name := settings.take("timm_model_name"):
        tower = _timm(name, image_size, settings)
        for native in ("layers", "width", "patch_size", "head_width"):  # that older files have, and nobody reads
            settings.content.pop(native, None)
    elif isinstance(layers := settings.take("layers", 12), list | tuple):
        width = settings.take("width", 768)
        heads = 32 * width // settings.take("head_width", 64)
        settings.content.pop("patch_size", None)
        tower = ResNetConfig.model_validate(
            {"image_size": image_size, "width": width, "depths": layers, "heads": heads}
        )
    else:
        tower = _vision_transformer(image_size, layers, settings, quick_gelu)
    settings.finish()
    return tower


def _vision_transformer(image_size: int, depth: int, settings: _Settings, quick_gelu: bool) -> VisionTransformerConfig:
    width = settings.take("width", 768)
    pooling = {"tok": "class", "avg": "mean"}.get(settings.take("pool_type", "tok"))
    attention = settings.take("attentional_pool", False)
    queries, pooling_heads = settings.take("attn_pooler_queries", 256), settings.take("attn_pooler_heads", 8)
    if pooling is None or (attention and (attention is not True or pooling != "class")):
        raise UsageError("vision_cfg asks for a pooling that Lexel's towers cannot do.")
    content = {
        "image_size": image_size,
        "patch_size": settings.take("patch_size", 16),
        "width": width,
        "depth": depth,
        "heads": width // settings.take("head_width", 64),
        "mlp_ratio": settings.take("mlp_ratio", 4.0),
        "class_token": True if pooling == "mean" or attention else None,
        "pooling": "attention" if attention else pooling,
        "pre_norm": not settings.take("no_ln_pre", False),
        "norm_tokens": pooling == "mean" and not settings.take("final_ln_after_pool", False),
        "norm_epsilon": _epsilon(settings),
        "layer_scale": settings.take("ls_init_value") is not None,
        "activation": _activation(settings, quick_gelu),
    }
    if attention:
        content |= {"pooling_queries": queries, "pooling_heads": pooling_heads}
    content["drop_remainder"] = image_size % content["patch_size"] > 0
    return VisionTransformerConfig.model_validate(content)


def _timm(name: str, image_size: int, settings: _Settings) -> ImageConfig:
    pool, projection = settings.take("timm_pool", "avg"), settings.take("timm_proj", "")
    bias = settings.take("timm_proj_bias", False)
    if pool in ("abs_attn", "rot_attn"):
        raise UsageError(f"vision_cfg asks for the pooling {pool}, which Lexel's towers cannot do.")
    if name in SIGLIP and pool == "map" and projection == "none":
        return SIGLIP[name]
    if name in CONVNEXT and pool in ("", "avg") and projection in ("linear", "mlp") and not bias:
        return CONVNEXT[name].model_copy(update={"image_size": image_size, "projection": projection})
    kind = {"": "trunk", "none": "none"}.get(projection, f"{projection}_bias" if bias else projection)
    return TimmConfig.model_validate({"model": name, "image_size": image_size, "pool": pool, "projection": kind})


def _noted(content: Mapping[str, Any]) -> Tokens | None:
    """End and padding as Lexel wrote them down, where it made the file."""
    note = content.get(NOTE)
    return Tokens(note["end_of_text"], note["pad_id"] or 0) if note else None


def _text(settings: _Settings, quick_gelu: bool, noted: Tokens | None) -> TextConfig:
    tokenizer = settings.content.get("hf_tokenizer_name")
    if name := settings.take("hf_model_name"):
        return _huggingface_text(name, tokenizer or name, settings)
    vocabulary = settings.take("vocab_size", 49408)
    pool, marked = settings.take("pool_type", "argmax"), settings.take("embed_cls", False)
    pooling = "class" if marked else {"argmax": "end", "eos": "end", "last": "last", "first": "first"}.get(pool)
    if pooling is None:
        raise UsageError("text_cfg asks for a pooling that Lexel's towers cannot do.")
    causal = not settings.take("no_causal_mask", False)
    sees_padding = pooling != "class" and not (causal and pooling in ("end", "first"))
    pad, end = settings.take("pad_id", 0), settings.take("eos_id", 2)
    tokens = noted or (Tokens(end, pad) if pool == "eos" and not sees_padding else tokens_of(tokenizer, vocabulary))
    if marked and pad != 0:
        raise UsageError(f"text_cfg sets pad_id to {pad} beside embed_cls, which Lexel's towers cannot do.")
    content = {
        "context_length": settings.take("context_length", 77),
        "vocabulary_size": vocabulary,
        "end_of_text": end if pool == "eos" else tokens.end_of_text,
        "pad_id": tokens.pad_id if sees_padding else None,
        "width": settings.take("width", 512),
        "heads": settings.take("heads", 8),
        "depth": settings.take("layers", 12),
        "mlp_ratio": settings.take("mlp_ratio", 4.0),
        "causal": causal,
        "pooling": pooling,
        "projection": "none"
        if settings.take("proj_type", "linear") == "none"
        else "linear_bias"
        if settings.content.get("proj_bias")
        else "linear",
        "norm_epsilon": _epsilon(settings),
        "layer_scale": settings.take("ls_init_value") is not None,
        "activation": _activation(settings, quick_gelu),
    }
    settings.take("proj_bias")
    settings.finish()
    return TextTransformerConfig.model_validate(content)


def tokens_of(tokenizer: str | None, vocabulary: int) -> Tokens:
    """End and padding of the tokenizer that a configuration names; CLIP's where it names none."""
    if tokenizer is None:
        return CLIP_TOKENS if vocabulary == 49408 else Tokens(vocabulary - 1, 0)
    if vocabulary == SIGLIP2_VOCABULARY:
        return SIGLIP2_TOKENS
    if tokenizer not in TOKENS:
        raise UsageError(f'The tokenizer "{tokenizer}" is not one that Lexel knows the end and the padding of.')
    return TOKENS[tokenizer]


def _huggingface_text(name: str, tokenizer: str, settings: _Settings) -> HuggingFaceTextConfig:
    if name not in TEXT_MODELS:
        raise UsageError(f'The text model "{name}" is not one of those that Lexel knows: {", ".join(TEXT_MODELS)}.')
    model, tokens = TEXT_MODELS[name], tokens_of(tokenizer, 0)
    pooling = POOLERS.get(settings.take("hf_pooler_type", "mean_pooler"))
    projection = settings.content.pop("hf_proj_type", "mlp") or "none"
    if pooling == "pooler" and model["model_type"] == "m2m_100":
        pooling = "class"
    return HuggingFaceTextConfig.model_validate(
        {
            "model": model,
            "pooling": pooling,
            "projection": projection,
            "context_length": settings.take("context_length", 77),
            "vocabulary_size": model["vocab_size"],
            "end_of_text": tokens.end_of_text,
            "pad_id": tokens.pad_id,
        }
    )


def _epsilon(settings: _Settings) -> float:
    keywords = dict(settings.take("norm_kwargs", {}))
    epsilon = keywords.pop("eps", 1e-5)
    if keywords:
        raise UsageError(f"{settings.name} sets norm_kwargs {keywords}, which Lexel's towers cannot do.")
    return epsilon


def _activation(settings: _Settings, quick_gelu: bool) -> Activation:
    keywords = settings.take("act_kwargs", {})
    if not keywords:
        return "quick_gelu" if quick_gelu else "gelu"
    if dict(keywords) != {"approximate": "tanh"} or quick_gelu:
        raise UsageError(f"{settings.name} sets act_kwargs {keywords}, which Lexel's towers cannot do.")
    return "gelu_tanh"


def _preprocessing(content: Mapping[str, Any], image_size: int, convention: str) -> Preprocessing:
    mode = content.get("resize_mode", "shortest")
    given = {
        "resize": RESIZE.get(mode, mode),
        "fill": content.get("fill_color"),
        "interpolation": content.get("interpolation"),
        "mean": content.get("mean"),
        "std": content.get("std"),
    }
    size = content.get("size") or image_size
    sides = {size} if isinstance(size, int) else set(size)
    if len(sides) != 1:
        raise UsageError(f"preprocess_cfg makes pictures of {size} pixels; Lexel's are square.")
    given = {key: value for key, value in given.items() if value is not None}
    return Preprocessing.model_validate({"image_size": sides.pop(), "convention": convention, **given})
