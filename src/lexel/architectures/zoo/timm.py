"""Architectures whose image tower the library timm builds: EVA, MobileCLIP, ViTamin, PE-Core."""

from typing import Literal

from lexel.architectures.config import CLIPConfig, TextTransformerConfig, TimmConfig
from lexel.architectures.zoo.parts import text


def _timm(
    embedding: int,
    image: tuple[str, int, str, Literal["trunk", "linear"]],  # timm's name, image size, pool, projection
    text: TextTransformerConfig,
) -> CLIPConfig:
    model, image_size, pool, projection = image
    tower = TimmConfig(model=model, image_size=image_size, pool=pool, projection=projection)
    return CLIPConfig(embedding=embedding, image=tower, text=text)


def _eva(embedding: int, model: str, image_size: int, text: TextTransformerConfig) -> CLIPConfig:
    return _timm(embedding, (model, image_size, "token", "trunk"), text)


def _mobile(embedding: int, model: str, image_size: int = 256, *, causal: bool = False) -> CLIPConfig:
    """MobileCLIP; where its text tower is not causal, it sees the padding."""
    pool = "avg" if model.startswith("fastvit") else "token"
    tower = text(embedding, 12)
    if not causal:
        tower = tower.model_copy(update={"causal": False, "pad_id": 0})
    return _timm(embedding, (model, image_size, pool, "trunk"), tower)


def _vitamin(embedding: int, model: str, image_size: int, text_depth: int = 12) -> CLIPConfig:
    tower = text(embedding, text_depth)
    if embedding == 1152:
        tower = tower.model_copy(update={"heads": 16})
    return _timm(embedding, (model, image_size, "", "linear"), tower)


def _pe(embedding: int, model: str, image_size: int, context_length: int, text_depth: int) -> CLIPConfig:
    tower = text(embedding, text_depth).model_copy(update={"context_length": context_length})
    return _timm(embedding, (model, image_size, "map", "trunk"), tower)


TIMM = {
    "EVA01-g-14": _eva(1024, "eva_giant_patch14_224", 224, text(768, 12)),
    "EVA01-g-14-plus": _eva(1024, "eva_giant_patch14_224", 224, text(1024, 24)),
    "EVA02-B-16": _eva(512, "eva02_base_patch16_clip_224", 224, text(512, 12)),
    "EVA02-L-14": _eva(768, "eva02_large_patch14_clip_224", 224, text(768, 12)),
    "EVA02-L-14-336": _eva(768, "eva02_large_patch14_clip_336", 336, text(768, 12)),
    "EVA02-E-14": _eva(1024, "eva02_enormous_patch14_clip_224", 224, text(1024, 24)),
    "EVA02-E-14-plus": _eva(1024, "eva02_enormous_patch14_clip_224", 224, text(1280, 32)),
    "MobileCLIP-S1": _mobile(512, "fastvit_mci1"),
    "MobileCLIP-S2": _mobile(512, "fastvit_mci2"),
    "MobileCLIP-B": _mobile(512, "vit_base_mci_224", 224, causal=True),
    "MobileCLIP2-S0": _mobile(512, "fastvit_mci0"),
    "MobileCLIP2-S2": _mobile(512, "fastvit_mci2"),
    "MobileCLIP2-S3": _mobile(768, "fastvit_mci3"),
    "MobileCLIP2-S4": _mobile(768, "fastvit_mci4"),
    "MobileCLIP2-B": _mobile(512, "vit_base_mci_224", 224, causal=True),
    "MobileCLIP2-L-14": _mobile(768, "vit_large_patch14_clip_224", 224),
    "ViTamin-S": _vitamin(384, "vitamin_small_224", 224),
    "ViTamin-S-LTT": _vitamin(768, "vitamin_small_224", 224),
    "ViTamin-B": _vitamin(512, "vitamin_base_224", 224),
    "ViTamin-B-LTT": _vitamin(768, "vitamin_base_224", 224),
    "ViTamin-L": _vitamin(768, "vitamin_large_224", 224),
    "ViTamin-L-256": _vitamin(768, "vitamin_large_256", 256),
    "ViTamin-L-336": _vitamin(768, "vitamin_large_336", 336),
    "ViTamin-L-384": _vitamin(768, "vitamin_large_384", 384),
    "ViTamin-L2": _vitamin(1024, "vitamin_large2_224", 224, 24),
    "ViTamin-L2-256": _vitamin(1024, "vitamin_large2_256", 256, 24),
    "ViTamin-L2-336": _vitamin(1024, "vitamin_large2_336", 336, 24),
    "ViTamin-L2-384": _vitamin(1024, "vitamin_large2_384", 384, 24),
    "ViTamin-XL-256": _vitamin(1152, "vitamin_xlarge_256", 256, 27),
    "ViTamin-XL-336": _vitamin(1152, "vitamin_xlarge_336", 336, 27),
    "ViTamin-XL-384": _vitamin(1152, "vitamin_xlarge_384", 256, 27),  # OpenCLIP shows it 256 pixels, which it takes
    "PE-Core-T-16-384": _pe(512, "vit_pe_core_tiny_patch16_384", 384, 32, 12),
    "PE-Core-S-16-384": _pe(512, "vit_pe_core_small_patch16_384", 384, 32, 12),
    "PE-Core-B-16": _pe(1024, "vit_pe_core_base_patch16_224", 224, 32, 24),
    "PE-Core-L-14-336": _pe(1024, "vit_pe_core_large_patch14_336", 336, 32, 24),
    "PE-Core-bigG-14-448": _pe(1280, "vit_pe_core_gigantic_patch14_448", 448, 72, 24),
}
