"""OpenAI's and OpenCLIP's native architectures: ResNets, Vision Transformers, CLIPA, CoCa; and ConvNeXt."""

from typing import Literal

from lexel.architectures.config import (
    CLIPConfig,
    ConvNeXtConfig,
    ResNetConfig,
    TextTransformerConfig,
    VisionTransformerConfig,
)
from lexel.architectures.zoo.parts import (
    HEAD_WIDTH,
    VIT_B_32,
    VIT_BIGG_14,
    VIT_H_14,
    VIT_L_14,
    at_size,
    text,
    vit,
    with_quick_gelu,
)


def _resnet(
    embedding: int, image_size: int, width: int, depths: tuple[int, int, int, int], text_width: int
) -> CLIPConfig:
    heads = 32 * width // HEAD_WIDTH
    image = ResNetConfig(image_size=image_size, width=width, depths=depths, heads=heads)
    return CLIPConfig(embedding=embedding, image=image, text=text(text_width, 12))


RESNETS = {
    "RN50": _resnet(1024, 224, 64, (3, 4, 6, 3), 512),
    "RN101": _resnet(512, 224, 64, (3, 4, 23, 3), 512),
    "RN50x4": _resnet(640, 288, 80, (4, 6, 10, 6), 640),
    "RN50x16": _resnet(768, 384, 96, (6, 8, 18, 8), 768),
    "RN50x64": _resnet(1024, 448, 128, (3, 15, 36, 10), 1024),
}


def _clip(embedding: int, image: VisionTransformerConfig, width: int, depth: int) -> CLIPConfig:
    return CLIPConfig(embedding=embedding, image=image, text=text(width, depth))


VISION_TRANSFORMERS = {
    "ViT-S-32": _clip(384, vit(224, 32, 384, 12), 384, 12),
    "ViT-S-16": _clip(384, vit(224, 16, 384, 12), 384, 12),
    "ViT-S-32-alt": _clip(256, vit(224, 32, 384, 12), 256, 10),
    "ViT-S-16-alt": _clip(256, vit(224, 16, 384, 12), 256, 10),
    "ViT-M-32": _clip(512, vit(224, 32, 512, 12), 512, 12),
    "ViT-M-16": _clip(512, vit(224, 16, 512, 12), 512, 12),
    "ViT-M-32-alt": _clip(384, vit(224, 32, 512, 12), 384, 12),
    "ViT-B-32": _clip(512, VIT_B_32, 512, 12),
    "ViT-B-32-256": _clip(512, at_size(VIT_B_32, 256), 512, 12),
    "ViT-B-32-plus-256": _clip(640, vit(256, 32, 896, 12), 640, 12),
    "ViT-B-16": _clip(512, vit(224, 16, 768, 12), 512, 12),
    "ViT-B-16-plus": _clip(640, vit(224, 16, 896, 12), 640, 12),
    "ViT-B-16-plus-240": _clip(640, vit(240, 16, 896, 12), 640, 12),
    "ViT-L-16": _clip(768, vit(224, 16, 1024, 24), 768, 12),
    "ViT-L-16-320": _clip(768, vit(320, 16, 1024, 24), 768, 12),
    "ViT-L-14": _clip(768, VIT_L_14, 768, 12),
    "ViT-L-14-280": _clip(768, at_size(VIT_L_14, 280), 768, 12),
    "ViT-L-14-336": _clip(768, at_size(VIT_L_14, 336), 768, 12),
    "ViT-H-16": _clip(1024, vit(224, 16, 1280, 32, head_width=80), 1024, 24),
    "ViT-H-14": _clip(1024, VIT_H_14, 1024, 24),
    "ViT-H-14-378": _clip(1024, at_size(VIT_H_14, 378), 1024, 24),
    "ViT-g-14": _clip(1024, vit(224, 14, 1408, 40, head_width=88, mlp_ratio=4.3637), 1024, 24),
    "ViT-bigG-14": _clip(1280, VIT_BIGG_14, 1280, 32),
    "ViT-e-14": _clip(1280, vit(224, 14, 1792, 56, head_width=112, mlp_ratio=8.5715), 1280, 36),
}

_ALSO_WITH_QUICK_GELU = (
    "ViT-B-32",
    "ViT-B-16",
    "ViT-L-14",
    "ViT-L-14-336",
    "ViT-H-14",
    "ViT-H-14-378",
    "ViT-bigG-14",
)
QUICK_GELU = {
    f"{name}-quickgelu": with_quick_gelu(config)
    for name, config in (RESNETS | VISION_TRANSFORMERS).items()
    if name in RESNETS or name in _ALSO_WITH_QUICK_GELU
}


def _clipa(embedding: int, image: VisionTransformerConfig, width: int, depth: int) -> CLIPConfig:
    """Li et al. 2023: patches are averaged beside a class token; the text tower sees its padding and reads its last.

    The tokenizer is BERT's, whose separator (102) ends a caption before it is blanked to padding.
    """
    return CLIPConfig(
        embedding=embedding,
        image=image.model_copy(update={"pooling": "mean", "class_token": True, "pre_norm": False}),
        text=TextTransformerConfig(
            context_length=32,
            vocabulary_size=32000,
            end_of_text=102,
            pad_id=0,
            width=width,
            depth=depth,
            heads=width // HEAD_WIDTH,
            causal=False,
            pooling="last",
        ),
    )


CLIPA = {
    "ViT-L-14-CLIPA": _clipa(768, VIT_L_14, 768, 12),
    "ViT-L-14-CLIPA-336": _clipa(768, at_size(VIT_L_14, 336), 768, 12),
    "ViT-H-14-CLIPA": _clipa(1024, VIT_H_14, 1024, 24),
    "ViT-H-14-CLIPA-336": _clipa(1024, at_size(VIT_H_14, 336), 1024, 24),
    "ViT-bigG-14-CLIPA": _clipa(1280, VIT_BIGG_14, 1280, 32),
    "ViT-bigG-14-CLIPA-336": _clipa(1280, at_size(VIT_BIGG_14, 336), 1280, 32),
}


def _coca(embedding: int, image: VisionTransformerConfig, text_width: int) -> CLIPConfig:
    """Yu et al. 2022, without the captioner."""
    return CLIPConfig(
        embedding=embedding,
        image=image.model_copy(update={"pooling": "attention", "class_token": True, "pooling_heads": 8}),
        text=text(text_width, 12).model_copy(update={"context_length": 76, "pooling": "class"}),
    )


COCA = {
    "coca_ViT-B-32": _coca(512, VIT_B_32, 512),
    "coca_ViT-L-14": _coca(768, VIT_L_14, 768),
}


def _convnext(
    embedding: int,
    image: tuple[int, int, tuple[int, int, int, int]],  # image size, width, depths
    text_depth: int,
    projection: Literal["linear", "mlp"] = "linear",
    norm_epsilon: float = 1e-6,
) -> CLIPConfig:
    image_size, width, depths = image
    return CLIPConfig(
        embedding=embedding,
        image=ConvNeXtConfig(
            image_size=image_size, width=width, depths=depths, projection=projection, norm_epsilon=norm_epsilon
        ),
        text=text(embedding, text_depth),
    )


CONVNEXTS = {
    "convnext_base": _convnext(512, (224, 128, (3, 3, 27, 3)), 12),
    "convnext_base_w": _convnext(640, (256, 128, (3, 3, 27, 3)), 12),
    "convnext_base_w_320": _convnext(640, (320, 128, (3, 3, 27, 3)), 12),
    "convnext_large_d": _convnext(768, (256, 192, (3, 3, 27, 3)), 16, projection="mlp"),
    "convnext_large_d_320": _convnext(768, (320, 192, (3, 3, 27, 3)), 16, projection="mlp"),
    "convnext_xxlarge": _convnext(1024, (256, 384, (3, 4, 30, 3)), 24, norm_epsilon=1e-5),
}
