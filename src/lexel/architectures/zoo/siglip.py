"""SigLIP and SigLIP 2 (Zhai et al. 2023, Tschannen et al. 2025), as OpenCLIP runs them.

All were trained with the tanh approximation of GELU. OpenCLIP runs some towers with GELU itself, and so do these: each
table says which. A folder that transformers wrote says tanh everywhere, and is read so.
"""

from lexel.architectures.config import Activation, CLIPConfig, TextTransformerConfig, VisionTransformerConfig

_EPSILON = 1e-6
_SIZES = {  # width, depth, heads, width inside an MLP where it is not four times as wide
    "B": (768, 12, 12, None),
    "L": (1024, 24, 16, None),
    "SO400M": (1152, 27, 16, 4304),
    "gopt": (1536, 40, 16, None),
}

_SO400M_RATIO = 3.7362  # gives the same width inside the MLP, and is how OpenCLIP writes it for text towers


def siglip_image(size: str, patch_size: int, image_size: int, activation: Activation) -> VisionTransformerConfig:
    """SigLIP's image tower: no class token, and pooled by an attention head."""
    width, depth, heads, hidden = _SIZES[size]
    return VisionTransformerConfig(
        image_size=image_size,
        patch_size=patch_size,
        drop_remainder=image_size % patch_size > 0,
        width=width,
        depth=depth,
        heads=heads,
        mlp_hidden=hidden,
        pooling="map",
        norm_tokens=True,
        projection=False,
        pre_norm=False,
        norm_epsilon=_EPSILON,
        patch_bias=True,
        activation=activation,
    )


def _siglip(
    size: str,
    patch_size: int,
    image_size: int,
    activation: Activation,
    *,
    vocabulary_size: int = 32000,
    context_length: int = 64,
    projection: bool = True,
) -> CLIPConfig:
    """The first SigLIP: the padding is end-of-text again."""
    width, depth, heads, hidden = _SIZES[size]
    return CLIPConfig(
        embedding=width,
        image=siglip_image(size, patch_size, image_size, activation),
        text=TextTransformerConfig(
            context_length=context_length,
            vocabulary_size=vocabulary_size,
            end_of_text=1,
            pad_id=1,
            width=width,
            depth=depth,
            heads=heads,
            mlp_ratio=_SO400M_RATIO if hidden else 4.0,
            causal=False,
            pooling="last",
            projection="linear_bias" if projection else "none",
            norm_epsilon=_EPSILON,
        ),
        logit_bias=True,
    )


def _siglip2(size: str, patch_size: int, image_size: int, activation: Activation) -> CLIPConfig:
    """SigLIP 2: Gemma's vocabulary with a padding of its own."""
    width, depth, heads, hidden = _SIZES["SO400M" if size == "gopt" else size]
    return CLIPConfig(
        embedding=_SIZES[size][0],
        image=siglip_image(size, patch_size, image_size, activation),
        text=TextTransformerConfig(
            context_length=64,
            vocabulary_size=256000,
            end_of_text=1,
            pad_id=0,
            width=width,
            depth=depth,
            heads=heads,
            mlp_ratio=_SO400M_RATIO if hidden else 4.0,
            causal=False,
            pooling="last",
            projection="linear_bias",
            norm_epsilon=_EPSILON,
            activation="gelu_tanh",
        ),
        logit_bias=True,
    )


SIGLIP = {
    "ViT-B-16-SigLIP": _siglip("B", 16, 224, "gelu"),
    "ViT-B-16-SigLIP-256": _siglip("B", 16, 256, "gelu"),
    "ViT-B-16-SigLIP-i18n-256": _siglip("B", 16, 256, "gelu", vocabulary_size=250000),
    "ViT-B-16-SigLIP-384": _siglip("B", 16, 384, "gelu"),
    "ViT-B-16-SigLIP-512": _siglip("B", 16, 512, "gelu"),
    "ViT-L-16-SigLIP-256": _siglip("L", 16, 256, "gelu"),
    "ViT-L-16-SigLIP-384": _siglip("L", 16, 384, "gelu"),
    "ViT-SO400M-14-SigLIP": _siglip("SO400M", 14, 224, "gelu", context_length=16),
    "ViT-SO400M-16-SigLIP-i18n-256": _siglip("SO400M", 16, 256, "gelu_tanh", vocabulary_size=250000, projection=False),
    "ViT-SO400M-14-SigLIP-378": _siglip("SO400M", 14, 378, "gelu"),
    "ViT-SO400M-14-SigLIP-384": _siglip("SO400M", 14, 384, "gelu"),
    "ViT-B-32-SigLIP2-256": _siglip2("B", 32, 256, "gelu_tanh"),
    "ViT-B-16-SigLIP2": _siglip2("B", 16, 224, "gelu"),
    "ViT-B-16-SigLIP2-256": _siglip2("B", 16, 256, "gelu"),
    "ViT-B-16-SigLIP2-384": _siglip2("B", 16, 384, "gelu"),
    "ViT-B-16-SigLIP2-512": _siglip2("B", 16, 512, "gelu"),
    "ViT-L-16-SigLIP2-256": _siglip2("L", 16, 256, "gelu"),
    "ViT-L-16-SigLIP2-384": _siglip2("L", 16, 384, "gelu"),
    "ViT-L-16-SigLIP2-512": _siglip2("L", 16, 512, "gelu_tanh"),
    "ViT-SO400M-14-SigLIP2": _siglip2("SO400M", 14, 224, "gelu"),
    "ViT-SO400M-14-SigLIP2-378": _siglip2("SO400M", 14, 378, "gelu"),
    "ViT-SO400M-16-SigLIP2-256": _siglip2("SO400M", 16, 256, "gelu_tanh"),
    "ViT-SO400M-16-SigLIP2-384": _siglip2("SO400M", 16, 384, "gelu_tanh"),
    "ViT-SO400M-16-SigLIP2-512": _siglip2("SO400M", 16, 512, "gelu_tanh"),
    "ViT-gopt-16-SigLIP2-256": _siglip2("gopt", 16, 256, "gelu_tanh"),
    "ViT-gopt-16-SigLIP2-384": _siglip2("gopt", 16, 384, "gelu_tanh"),
}
