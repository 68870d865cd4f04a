"""Architectures by name. No torch here: they are listed, and recipes checked, without it.

The names are OpenCLIP's, and mean the same: without `-quickgelu` the activation is GELU, though OpenAI's own weights
(and a few others) were trained with QuickGELU and are wrong without it. The `lexel-` ones are ours, small enough to be
trained on a CPU from little data.
"""

from lexel.errors import UsageError, did_you_mean
from lexel.models.config import CLIPConfig, ResNetConfig, TextTransformerConfig, VisionTransformerConfig

HEAD_WIDTH = 64


def architecture(name: str) -> CLIPConfig:
    """The configuration of a named architecture; raises UsageError for a name that is not in `ARCHITECTURES`."""
    if name not in ARCHITECTURES:
        raise UsageError(
            f'There is no architecture "{name}".{did_you_mean(name, ARCHITECTURES)}\n'
            f"  Known: {', '.join(ARCHITECTURES)}"
        )
    return ARCHITECTURES[name]


def _vit(
    embedding: int,
    image: tuple[int, int, int, int],  # image size, patch size, width, depth
    text: tuple[int, int],  # width, depth
    head_width: int = HEAD_WIDTH,
    mlp_ratio: float = 4.0,
) -> CLIPConfig:
    image_size, patch_size, width, depth = image
    return CLIPConfig(
        embedding=embedding,
        image=VisionTransformerConfig(
            image_size=image_size,
            patch_size=patch_size,
            width=width,
            depth=depth,
            heads=width // head_width,
            mlp_ratio=mlp_ratio,
        ),
        text=_text(*text),
    )


def _resnet(
    embedding: int, image_size: int, width: int, depths: tuple[int, int, int, int], text_width: int
) -> CLIPConfig:
    heads = 32 * width // HEAD_WIDTH
    return CLIPConfig(
        embedding=embedding,
        image=ResNetConfig(image_size=image_size, width=width, depths=depths, heads=heads),
        text=_text(text_width, 12),
    )


def _text(width: int, depth: int) -> TextTransformerConfig:
    return TextTransformerConfig(width=width, depth=depth, heads=width // HEAD_WIDTH)


def _with_quick_gelu(config: CLIPConfig) -> CLIPConfig:
    image = config.image
    if isinstance(image, VisionTransformerConfig):
        image = image.model_copy(update={"activation": "quick_gelu"})
    return config.model_copy(
        update={"image": image, "text": config.text.model_copy(update={"activation": "quick_gelu"})}
    )


def _small(
    embedding: int, image: VisionTransformerConfig | ResNetConfig, text: tuple[int, int, int], vocabulary_size: int
) -> CLIPConfig:
    """An image tower beside a text tower of (width, depth, heads) for short captions."""
    width, depth, heads = text
    return CLIPConfig(
        embedding=embedding,
        image=image,
        text=TextTransformerConfig(
            context_length=32,
            vocabulary_size=vocabulary_size,
            end_of_text=vocabulary_size - 1,
            width=width,
            depth=depth,
            heads=heads,
        ),
    )


_OPEN_CLIP = {
    "RN50": _resnet(1024, 224, 64, (3, 4, 6, 3), 512),
    "RN101": _resnet(512, 224, 64, (3, 4, 23, 3), 512),
    "RN50x4": _resnet(640, 288, 80, (4, 6, 10, 6), 640),
    "RN50x16": _resnet(768, 384, 96, (6, 8, 18, 8), 768),
    "RN50x64": _resnet(1024, 448, 128, (3, 15, 36, 10), 1024),
    "ViT-S-32": _vit(384, (224, 32, 384, 12), (384, 12)),
    "ViT-S-16": _vit(384, (224, 16, 384, 12), (384, 12)),
    "ViT-S-32-alt": _vit(256, (224, 32, 384, 12), (256, 10)),
    "ViT-S-16-alt": _vit(256, (224, 16, 384, 12), (256, 10)),
    "ViT-M-32": _vit(512, (224, 32, 512, 12), (512, 12)),
    "ViT-M-16": _vit(512, (224, 16, 512, 12), (512, 12)),
    "ViT-M-32-alt": _vit(384, (224, 32, 512, 12), (384, 12)),
    "ViT-B-32": _vit(512, (224, 32, 768, 12), (512, 12)),
    "ViT-B-32-256": _vit(512, (256, 32, 768, 12), (512, 12)),
    "ViT-B-32-plus-256": _vit(640, (256, 32, 896, 12), (640, 12)),
    "ViT-B-16": _vit(512, (224, 16, 768, 12), (512, 12)),
    "ViT-B-16-plus": _vit(640, (224, 16, 896, 12), (640, 12)),
    "ViT-B-16-plus-240": _vit(640, (240, 16, 896, 12), (640, 12)),
    "ViT-L-16": _vit(768, (224, 16, 1024, 24), (768, 12)),
    "ViT-L-16-320": _vit(768, (320, 16, 1024, 24), (768, 12)),
    "ViT-L-14": _vit(768, (224, 14, 1024, 24), (768, 12)),
    "ViT-L-14-280": _vit(768, (280, 14, 1024, 24), (768, 12)),
    "ViT-L-14-336": _vit(768, (336, 14, 1024, 24), (768, 12)),
    "ViT-H-16": _vit(1024, (224, 16, 1280, 32), (1024, 24), head_width=80),
    "ViT-H-14": _vit(1024, (224, 14, 1280, 32), (1024, 24), head_width=80),
    "ViT-H-14-378": _vit(1024, (378, 14, 1280, 32), (1024, 24), head_width=80),
    "ViT-g-14": _vit(1024, (224, 14, 1408, 40), (1024, 24), head_width=88, mlp_ratio=4.3637),
    "ViT-bigG-14": _vit(1280, (224, 14, 1664, 48), (1280, 32), head_width=104, mlp_ratio=4.9231),
    "ViT-e-14": _vit(1280, (224, 14, 1792, 56), (1280, 36), head_width=112, mlp_ratio=8.5715),
}

_QUICK_GELU = (
    "RN50",
    "RN101",
    "RN50x4",
    "RN50x16",
    "RN50x64",
    "ViT-B-32",
    "ViT-B-16",
    "ViT-L-14",
    "ViT-L-14-336",
    "ViT-H-14",
    "ViT-H-14-378",
    "ViT-bigG-14",
)

# For training from little data: convolutions know from the start that what is near belongs together, which a
# Transformer must learn first. docs/experiments.md has the numbers. The smallest is for tests and first tries.
_TINY = VisionTransformerConfig(
    image_size=32, patch_size=4, width=128, depth=4, heads=4, pooling="mean", stem="convolutional"
)
_LEXEL = {
    "lexel-xs": _small(128, _TINY, (128, 2, 4), vocabulary_size=2048),
    "lexel-s": _small(256, ResNetConfig(image_size=64, width=32, depths=(1, 2, 2, 1), heads=16), (192, 3, 3), 8192),
    "lexel-m": _small(256, ResNetConfig(image_size=64, width=48, depths=(2, 2, 3, 2), heads=24), (256, 4, 4), 8192),
    "lexel-l": _small(384, ResNetConfig(image_size=128, width=64, depths=(2, 3, 4, 2), heads=32), (384, 6, 6), 16384),
}

ARCHITECTURES: dict[str, CLIPConfig] = {
    **_LEXEL,
    **_OPEN_CLIP,
    **{f"{name}-quickgelu": _with_quick_gelu(_OPEN_CLIP[name]) for name in _QUICK_GELU},
}
