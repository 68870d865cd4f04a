"""One small model of each family, as OpenCLIP is told to build it, and a rule by which both sides make its weights.

Nothing but numpy here: the script that writes the golden values runs where open_clip is, the test where Lexel is.
"""

import zlib
from typing import Any

import numpy as np

EMBEDDING, END, LONGEST = 24, 99, 12
TEXT: dict[str, Any] = {"context_length": LONGEST, "vocab_size": 100, "width": 48, "heads": 3, "layers": 2}
IMAGE: dict[str, Any] = {"image_size": 48, "patch_size": 16, "width": 64, "head_width": 16, "layers": 3}
ROBERTA = {
    "model_type": "roberta", "vocab_size": 100, "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3,
    "intermediate_size": 96, "max_position_embeddings": 20, "type_vocab_size": 1, "layer_norm_eps": 1e-5,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": END,
}  # fmt: skip
NLLB = {
    "model_type": "m2m_100", "vocab_size": 100, "d_model": 48, "encoder_layers": 2, "decoder_layers": 1,
    "encoder_attention_heads": 3, "decoder_attention_heads": 3, "encoder_ffn_dim": 96, "decoder_ffn_dim": 96,
    "max_position_embeddings": 64, "scale_embedding": True, "activation_function": "relu", "pad_token_id": 0,
    "bos_token_id": 1, "eos_token_id": END,
}  # fmt: skip


def family(image: dict[str, Any] | None = None, text: dict[str, Any] | None = None, **rest: Any) -> dict[str, Any]:
    """OpenCLIP's configuration. Keys with a dash are for these tests: how timm or transformers make a small model."""
    return {"embed_dim": EMBEDDING, "vision_cfg": IMAGE | (image or {}), "text_cfg": TEXT | (text or {}), **rest}


def with_timm(name: str, image_size: int, pool: str, projection: str | None, **small: Any) -> dict[str, Any]:
    """An image tower by timm; `small` are the arguments of a model that is smaller than any that timm names."""
    vision = {"timm_model_name": name, "timm_pool": pool, "timm_proj": projection, "image_size": image_size}
    return {"embed_dim": EMBEDDING, "vision_cfg": vision, "text_cfg": TEXT, "custom_text": True, "-small": small}


def with_transformers(model: dict[str, Any], pooler: str, projection: str) -> dict[str, Any]:
    """A text tower by transformers."""
    text = {"hf_model_name": "-", "hf_tokenizer_name": "-", "hf_pooler_type": pooler, "hf_proj_type": projection}
    return {"embed_dim": EMBEDDING, "vision_cfg": IMAGE, "text_cfg": text, "-model": model}


SIGLIP_TEXT = {"no_causal_mask": True, "pool_type": "last", "proj_bias": True, "norm_kwargs": {"eps": 1e-6}}
SIGLIP_IMAGE = {"patch_size": 16, "embed_dim": 48, "depth": 2, "num_heads": 3, "class_token": False}
CONVNEXT = {"depths": (1, 2, 2, 1), "dims": (8, 16, 32, 64)}
COCA = {"output_tokens": True, "embed_cls": True}
CAPTIONER = {"multimodal_cfg": TEXT | {"attn_pooler_heads": 3}, "custom_text": True}

FAMILIES: dict[str, dict[str, Any]] = {
    "vit": family(),
    "vit-quickgelu": family({"mlp_ratio": 2.7}, {"mlp_ratio": 3.3}, quick_gelu=True),
    "vit-layer-scale": family({"ls_init_value": 0.1}, {"ls_init_value": 0.1}),
    "vit-mean": family({"pool_type": "avg"}, {"pool_type": "first"}),
    "clipa": family(
        {"pool_type": "avg", "final_ln_after_pool": True, "no_ln_pre": True},
        {"pool_type": "last", "no_causal_mask": True},
    ),
    "worldwide": family(text={"pool_type": "eos", "eos_id": 2}),
    "mobile-text": family(text={"no_causal_mask": True}, custom_text=True),
    "coca": family({"attentional_pool": True, "attn_pooler_heads": 3, "output_tokens": True}, COCA, **CAPTIONER),
    "coca-same-width": family(
        {"attentional_pool": True, "attn_pooler_heads": 3, "output_tokens": True, "width": 24, "head_width": 8},
        COCA,
        **CAPTIONER,
    ),
    "resnet": family({"layers": [1, 2, 1, 1], "width": 8, "image_size": 64}),
    "siglip": with_timm("golden_siglip", 48, "map", "none", **SIGLIP_IMAGE)
    | {"text_cfg": TEXT | SIGLIP_TEXT, "embed_dim": 48, "init_logit_bias": -10},
    "siglip2-remainder": with_timm("golden_siglip2", 52, "map", "none", **SIGLIP_IMAGE, act_layer="gelu_tanh")
    | {"text_cfg": TEXT | SIGLIP_TEXT | {"act_kwargs": {"approximate": "tanh"}}, "embed_dim": 48, "init_logit_bias": 0},
    "convnext": with_timm("golden_convnext", 64, "", "linear", **CONVNEXT),
    "convnext-mlp": with_timm("golden_convnext_d", 64, "", "mlp", **CONVNEXT, norm_eps=1e-5),
    "roberta": with_transformers(ROBERTA, "mean_pooler", "mlp"),
    "bert": with_transformers(ROBERTA | {"model_type": "bert", "type_vocab_size": 2}, "cls_pooler", "linear"),
    "xlm-roberta": with_transformers(ROBERTA | {"model_type": "xlm-roberta"}, "cls_last_hidden_state_pooler", "linear"),
    "nllb": with_transformers(NLLB, "cls_pooler", "linear"),
    "eva02": with_timm("eva02_base_patch16_clip_224", 224, "token", None),
    "fastvit": with_timm("fastvit_mci0", 256, "avg", None),
    "vitamin": with_timm("vitamin_small_224", 224, "", "linear"),
    "pe-core": with_timm("vit_pe_core_tiny_patch16_384", 384, "map", None),
}

# CoCa's whole, its decoder as wide as the embedding that it looks at.
_POOLED = {"attentional_pool": True, "attn_pooler_heads": 3, "output_tokens": True}
CAPTIONERS: dict[str, dict[str, Any]] = {
    "coca": family(_POOLED, COCA, **CAPTIONER) | {"embed_dim": 48},
    "coca-quickgelu": family(_POOLED, COCA, **CAPTIONER, quick_gelu=True) | {"embed_dim": 48},
}


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The tensor that OpenCLIP calls `name`, float32: the same one wherever it is made."""
    if not shape:
        return np.array({"logit_scale": 2.0, "logit_bias": -5.0}.get(name, 0.0), np.float32)
    values = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape, dtype=np.float32)
    if name.endswith("running_var"):
        return 1 + np.abs(values) / 10
    if len(shape) == 3:  # positions, and the gains of branches as FastViT has them
        return values / 10
    if len(shape) > 1:
        gain = 2 if len(shape) == 4 else 1  # of convolutions, whose activations would else fade from layer to layer
        return values * np.float32((gain / np.prod(shape[1:])) ** 0.5)
    if name.endswith(("weight", "gamma")):
        return 1 + values / 10
    return values / 10 if name.endswith(("bias", "running_mean")) else values


def pixels(image_size: int) -> np.ndarray:
    """Three normalised pictures of coarse patches and some noise, (3, 3, S, S) float32."""
    random = np.random.default_rng(image_size)
    coarse = random.standard_normal((3, 3, 4, 4), dtype=np.float32)
    places = np.arange(image_size) * 4 // image_size
    noise = random.standard_normal((3, 3, image_size, image_size), dtype=np.float32)
    return 2 * coarse[:, :, places][:, :, :, places] + noise / 2


def captions(end: int = END) -> np.ndarray:
    """Captions of 2, 5, 8 and 12 ids, (4, 12) int64; behind their end there are zeros, and one of them has a zero."""
    ids = np.random.default_rng(7).integers(3, 98, (4, LONGEST))
    for row, length in zip(ids, (2, 5, 8, LONGEST), strict=True):
        row[length - 1] = end
        row[length:] = 0
    ids[2, 3] = 0
    return ids
