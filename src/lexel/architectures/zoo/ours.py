"""Lexel's own architectures, small enough to be trained on a CPU from little data.

Convolutions know from the start that what is near belongs together, which a Transformer must learn first; and captions
that start out as the mean of their words are as far apart as these. docs/experiments.md has the numbers. The smallest
is for tests and first tries.
"""

from lexel.architectures.config import CLIPConfig, ResNetConfig, TextTransformerConfig, VisionTransformerConfig


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
            pooling="mean",
        ),
    )


_TINY = VisionTransformerConfig(
    image_size=32, patch_size=4, width=128, depth=4, heads=4, pooling="mean", stem="convolutional"
)

LEXEL = {
    "lexel-xs": _small(128, _TINY, (128, 2, 4), vocabulary_size=2048),
    "lexel-s": _small(256, ResNetConfig(image_size=64, width=32, depths=(1, 2, 2, 1), heads=16), (192, 3, 3), 8192),
    "lexel-m": _small(256, ResNetConfig(image_size=64, width=48, depths=(2, 2, 3, 2), heads=24), (256, 4, 4), 8192),
    "lexel-l": _small(384, ResNetConfig(image_size=128, width=64, depths=(2, 3, 4, 2), heads=32), (384, 6, 6), 16384),
}
