"""Towers as the tables of the zoo write them: the numbers that vary, the rest by rule."""

from lexel.architectures.config import CLIPConfig, TextTransformerConfig, VisionTransformerConfig

HEAD_WIDTH = 64


def vit(
    image_size: int, patch_size: int, width: int, depth: int, head_width: int = HEAD_WIDTH, mlp_ratio: float = 4.0
) -> VisionTransformerConfig:
    """CLIP's Vision Transformer."""
    return VisionTransformerConfig(
        image_size=image_size,
        patch_size=patch_size,
        width=width,
        depth=depth,
        heads=width // head_width,
        mlp_ratio=mlp_ratio,
    )


VIT_B_32 = vit(224, 32, 768, 12)
VIT_L_14 = vit(224, 14, 1024, 24)
VIT_H_14 = vit(224, 14, 1280, 32, head_width=80)
VIT_BIGG_14 = vit(224, 14, 1664, 48, head_width=104, mlp_ratio=4.9231)


def text(width: int, depth: int) -> TextTransformerConfig:
    """CLIP's text Transformer."""
    return TextTransformerConfig(width=width, depth=depth, heads=width // HEAD_WIDTH)


def at_size(image: VisionTransformerConfig, image_size: int) -> VisionTransformerConfig:
    """The same tower for another image size."""
    return image.model_copy(update={"image_size": image_size})


def with_quick_gelu(config: CLIPConfig) -> CLIPConfig:
    """The same architecture with OpenAI's activation in its own Transformers; other towers have theirs."""
    image, text = config.image, config.text
    if isinstance(image, VisionTransformerConfig):
        image = image.model_copy(update={"activation": "quick_gelu"})
    if isinstance(text, TextTransformerConfig):
        text = text.model_copy(update={"activation": "quick_gelu"})
    return config.model_copy(update={"image": image, "text": text})
