"""The number format that towers are trained in; weights, losses and moments are float32 in either."""

from typing import Literal

import torch

from lexel.runtimes.bfloat16 import has_fast_bfloat16

Precision = Literal["auto", "float32", "bfloat16"]


def precision_on(device: torch.device, wanted: Precision) -> torch.dtype:
    """What `wanted` means on a device: "auto" is bfloat16 where that is faster than float32."""
    chosen = wanted == "bfloat16" or (wanted == "auto" and has_fast_bfloat16(device))
    return torch.bfloat16 if chosen else torch.float32
