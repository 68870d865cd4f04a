from typing import Any

import pytest
import torch
from torch import nn

from lexel.models.config import CLIPConfig, TextTransformerConfig, VisionTransformerConfig
from lexel.models.vision_transformer import VisionTransformer, drop_patches

from .towers import small_clip


def small_tower(**changes: Any) -> VisionTransformer:
    image = VisionTransformerConfig(**{"image_size": 32, "patch_size": 8, "width": 32, "depth": 2, "heads": 2} | changes)
    tower = small_clip(image).image
    assert isinstance(tower, VisionTransformer)
    return tower
