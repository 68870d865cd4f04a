"""The number format that towers are trained in; weights, losses and moments are float32 in either."""

from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]


def precision_on(device: torch.device, wanted: Precision) -> torch.dtype:
    """What `wanted` means on a device: "auto" is bfloat16 where the hardware multiplies it natively."""
    if wanted != "auto":
        return torch.bfloat16 if wanted == "bfloat16" else torch.float32
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported() and _multiplies_bfloat16()
    return torch.bfloat16 if native else torch.float32


def _multiplies_bfloat16() -> bool:
    # oneDNN says yes to bf16 on any AVX-512; only with these instructions is it faster than float32.
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
