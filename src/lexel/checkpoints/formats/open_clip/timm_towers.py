"""timm's names of the image towers that Lexel has itself, and what they are in its terms.

timm's Vision Transformers take plain GELU unless they are told otherwise, also where the weights were trained with the
tanh approximation: OpenCLIP's embeddings are those of this table.
"""

from lexel.architectures.config import ConvNeXtConfig, VisionTransformerConfig
from lexel.architectures.zoo.siglip import siglip_image

SIGLIP: dict[str, VisionTransformerConfig] = {
    "vit_base_patch32_siglip_256": siglip_image("B", 32, 256, "gelu_tanh"),
    "vit_base_patch16_siglip_224": siglip_image("B", 16, 224, "gelu"),
    "vit_base_patch16_siglip_256": siglip_image("B", 16, 256, "gelu"),
    "vit_base_patch16_siglip_384": siglip_image("B", 16, 384, "gelu"),
    "vit_base_patch16_siglip_512": siglip_image("B", 16, 512, "gelu"),
    "vit_large_patch16_siglip_256": siglip_image("L", 16, 256, "gelu"),
    "vit_large_patch16_siglip_384": siglip_image("L", 16, 384, "gelu"),
    "vit_large_patch16_siglip_512": siglip_image("L", 16, 512, "gelu_tanh"),
    "vit_so400m_patch14_siglip_224": siglip_image("SO400M", 14, 224, "gelu"),
    "vit_so400m_patch14_siglip_378": siglip_image("SO400M", 14, 378, "gelu"),
    "vit_so400m_patch14_siglip_384": siglip_image("SO400M", 14, 384, "gelu"),
    "vit_so400m_patch16_siglip_256": siglip_image("SO400M", 16, 256, "gelu_tanh"),
    "vit_so400m_patch16_siglip_384": siglip_image("SO400M", 16, 384, "gelu_tanh"),
    "vit_so400m_patch16_siglip_512": siglip_image("SO400M", 16, 512, "gelu_tanh"),
    "vit_giantopt_patch16_siglip_256": siglip_image("gopt", 16, 256, "gelu_tanh"),
    "vit_giantopt_patch16_siglip_384": siglip_image("gopt", 16, 384, "gelu_tanh"),
}
CONVNEXT: dict[str, ConvNeXtConfig] = {
    "convnext_tiny": ConvNeXtConfig(width=96, depths=(3, 3, 9, 3)),
    "convnext_small": ConvNeXtConfig(width=96, depths=(3, 3, 27, 3)),
    "convnext_base": ConvNeXtConfig(width=128, depths=(3, 3, 27, 3)),
    "convnext_large": ConvNeXtConfig(width=192, depths=(3, 3, 27, 3)),
    "convnext_xlarge": ConvNeXtConfig(width=256, depths=(3, 3, 27, 3)),
    "convnext_xxlarge": ConvNeXtConfig(width=384, depths=(3, 4, 30, 3), norm_epsilon=1e-5),
}
