"""Lexel's configurations as OpenCLIP's `open_clip_config.json`, where OpenCLIP can hold them."""

from typing import Any

from lexel.architectures.config import (
    Activation,
    CLIPConfig,
    ConvNeXtConfig,
    HuggingFaceTextConfig,
    ResNetConfig,
    TextTransformerConfig,
    TimmConfig,
    VisionTransformerConfig,
)
from lexel.checkpoints.formats.open_clip.config_in import POOLERS, RESIZE
from lexel.checkpoints.formats.open_clip.text_models import NOTE, TEXT_MODELS
from lexel.checkpoints.formats.open_clip.timm_towers import CONVNEXT, SIGLIP
from lexel.errors import UsageError
from lexel.images import Preprocessing


def cannot(feature: str, library: str = "OpenCLIP") -> UsageError:
    """The error for a model that another library's format has no place for."""
    return UsageError(f"{library} cannot hold this model: {feature}.\n  Keep it as a Lexel model folder, or export it.")


def open_clip_config(architecture: CLIPConfig, preprocessing: Preprocessing) -> dict[str, Any]:
    """The content of `open_clip_config.json`. Raises UsageError that names what OpenCLIP does not have."""
    model = {
        "embed_dim": architecture.embedding,
        "vision_cfg": _image(architecture),
        "text_cfg": _text(architecture.text),
    }
    if _quick_gelu(architecture):
        model["quick_gelu"] = True
    if architecture.logit_bias:
        model["init_logit_bias"] = -10
    if not is_flat(architecture):
        model["custom_text"] = True
    note = {
        "end_of_text": architecture.text.end_of_text,
        "pad_id": architecture.text.pad_id,
        "convention": preprocessing.convention,
    }
    return {"model_cfg": model, "preprocess_cfg": _preprocessing(preprocessing), NOTE: note}


def is_flat(architecture: CLIPConfig) -> bool:
    """Whether OpenCLIP's first class of models can hold it, whose text tower's tensors have no prefix."""
    text = architecture.text
    return isinstance(text, TextTransformerConfig) and text.projection == "linear" and text.pooling != "class"


def _image(architecture: CLIPConfig) -> dict[str, Any]:
    image = architecture.image
    match image:
        case VisionTransformerConfig(pooling="map"):
            name = next((name for name, tower in SIGLIP.items() if tower == image), None)
            if name is None:
                raise cannot("it has no SigLIP image tower of these sizes with this activation")
            return _timm(name, image.image_size, pool="map", projection="none")
        case VisionTransformerConfig():
            return _vision_transformer(image)
        case ResNetConfig():
            return {
                "image_size": image.image_size,
                "layers": list(image.depths),
                "width": image.width,
                "head_width": 32 * image.width // image.heads,
                "patch_size": None,
            }
        case ConvNeXtConfig():
            plain = {"image_size": 224, "projection": "linear"}
            name = next((name for name, tower in CONVNEXT.items() if tower == image.model_copy(update=plain)), None)
            if name is None:
                raise cannot("it has no ConvNeXt of these sizes")
            return _timm(name, image.image_size, projection=image.projection)
        case TimmConfig():
            kind, _, bias = image.projection.partition("_")
            tower = _timm(image.model, image.image_size, pool=image.pool, projection="" if kind == "trunk" else kind)
            return tower | ({"timm_proj_bias": True} if bias else {})


def _timm(name: str, image_size: int, *, pool: str = "", projection: str = "") -> dict[str, Any]:
    return {
        "image_size": image_size,
        "timm_model_name": name,
        "timm_model_pretrained": False,
        "timm_pool": pool,
        "timm_proj": projection,
    }


def _vision_transformer(image: VisionTransformerConfig) -> dict[str, Any]:
    for is_so, feature in (
        (image.stem != "patch", "its image tower begins with a convolutional stem"),
        (not image.has_class_token, "its image tower has no class token"),
        (image.patch_bias, "its patches have a bias"),
        (not image.projection, "its image tower has no projection"),
    ):
        if is_so:
            raise cannot(feature)
    tower: dict[str, Any] = {
        "image_size": image.image_size,
        "patch_size": image.patch_size,
        "width": image.width,
        "layers": image.depth,
        "head_width": image.width // image.heads,
        **_common(image),
    }
    if not image.pre_norm:
        tower["no_ln_pre"] = True
    if image.pooling == "mean":
        tower |= {"pool_type": "avg", "final_ln_after_pool": not image.norm_tokens}
    if image.pooling == "attention":
        heads = image.pooling_heads or image.heads
        tower |= {"attentional_pool": True, "attn_pooler_heads": heads, "attn_pooler_queries": image.pooling_queries}
    return tower


def _text(text: TextTransformerConfig | HuggingFaceTextConfig) -> dict[str, Any]:
    if isinstance(text, HuggingFaceTextConfig):
        return _huggingface_text(text)
    tower: dict[str, Any] = {
        "context_length": text.context_length,
        "vocab_size": text.vocabulary_size,
        "width": text.width,
        "heads": text.heads,
        "layers": text.depth,
        **_common(text),
    }
    if not text.causal:
        tower["no_causal_mask"] = True
    match text.pooling:
        case "mean":
            raise cannot("its text tower pools by the mean of a caption's words")
        case "class":
            tower["embed_cls"] = True
        case "end" if text.end_of_text != text.vocabulary_size - 1:
            tower |= {"pool_type": "eos", "eos_id": text.end_of_text}
        case "last" | "first":
            tower["pool_type"] = text.pooling
    match text.projection:
        case "none":
            tower["proj_type"] = "none"
        case "linear_bias":
            tower["proj_bias"] = True
    return tower


def _huggingface_text(text: HuggingFaceTextConfig) -> dict[str, Any]:
    name = next((name for name, model in TEXT_MODELS.items() if model == text.model), None)
    if name is None:
        raise cannot("OpenCLIP names text models by their place on the hub, and this one has none")
    if text.projection not in ("linear", "mlp"):
        raise cannot("its text projection is neither linear nor an MLP")
    pooler = "pooler" if text.pooling == "class" and text.model["model_type"] == "m2m_100" else text.pooling
    return {
        "hf_model_name": name,
        "hf_model_pretrained": False,
        "hf_tokenizer_name": name,
        "hf_pooler_type": next(theirs for theirs, ours in POOLERS.items() if ours == pooler),
        "hf_proj_type": text.projection,
        "context_length": text.context_length,
    }


def _common(tower: VisionTransformerConfig | TextTransformerConfig) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if tower.hidden != 4 * tower.width:
        settings["mlp_ratio"] = tower.mlp_ratio if not tower.mlp_hidden else _ratio(tower.width, tower.mlp_hidden)
    if tower.layer_scale:
        settings["ls_init_value"] = 1.0  # where training began: the weights say where it came to
    if tower.norm_epsilon != 1e-5:
        settings["norm_kwargs"] = {"eps": tower.norm_epsilon}
    if tower.activation == "gelu_tanh":
        settings["act_kwargs"] = {"approximate": "tanh"}
    return settings


def _ratio(width: int, hidden: int) -> float:
    """A ratio that gives just this hidden width when the product is cut to a whole number."""
    ratio = hidden / width
    return ratio if int(width * ratio) == hidden else (hidden + 0.5) / width


def _quick_gelu(architecture: CLIPConfig) -> bool:
    """OpenCLIP has one setting for both towers, which towers of other libraries do not heed."""
    activations: set[Activation] = {
        tower.activation
        for tower in (architecture.image, architecture.text)
        if isinstance(tower, TextTransformerConfig)
        or (isinstance(tower, VisionTransformerConfig) and tower.pooling != "map")
    }
    if "quick_gelu" in activations and len(activations) > 1:
        raise cannot("its towers have different activations")
    return "quick_gelu" in activations


def _preprocessing(preprocessing: Preprocessing) -> dict[str, Any]:
    return {
        "size": preprocessing.image_size,
        "mode": "RGB",
        "mean": list(preprocessing.mean),
        "std": list(preprocessing.std),
        "interpolation": preprocessing.interpolation,
        "resize_mode": next(theirs for theirs, ours in RESIZE.items() if ours == preprocessing.resize),
        "fill_color": preprocessing.fill,
    }
