"""Towers in bfloat16 for inference: products in bfloat16, everything that is summed up over the layers in float32.

The linear layers of blocks and the convolutions have their weights rounded once, and round what they are given. The
states that blocks add to, norms, pooling and projections stay in float32. For a fresh ViT-B/32 the cosine to float32
is 0.999996, where a tower that is all bfloat16 has 0.99995, and is no faster. Towers of other libraries are left to
torch's autocast, which rounds their weights in each call.

On a CPU the linear layers are laid out once as oneDNN wants them, not in each call: for one image that is a third of
the time.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lexel.models.clip import CLIP


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions that multiply bfloat16; elsewhere it is slower than float32.

    A CPU has them with AVX512-BF16 or AMX; oneDNN computes in bfloat16 on any AVX-512, but by conversion.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu" or not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


class PackedLinear(nn.Module):
    """A linear layer in bfloat16 for a CPU, its weight laid out for oneDNN. No gradients, and nothing to save."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        # The layout is chosen for a number of rows; that for the 50 of one image serves many as well.
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach().bfloat16(), 50)
        self.bias = None if linear.bias is None else linear.bias.detach().bfloat16()

    def forward(self, x: Tensor) -> Tensor:  # (..., in) → (..., out) bfloat16
        return torch.ops.mkldnn._linear_pointwise(x.bfloat16(), self.weight, self.bias, "none", [], "")


@torch.no_grad()
def round_to_bfloat16(clip: CLIP) -> None:
    """Make the towers of `clip` compute in bfloat16, for good. They still take and give float32."""
    can_pack = clip.logit_scale.device.type == "cpu" and can_pack_linears()
    for tower in clip.towers.values():
        if tower.is_of_another_library:  # only autocast may round what its modules are given
            continue
        for module in list(tower.modules()):
            if isinstance(module, nn.Conv2d):
                _round(module)
        for block in tower.blocks_in_order():
            _round_linears(block, can_pack)


def _round_linears(block: nn.Module, can_pack: bool) -> None:
    for owner in list(block.modules()):
        for name, layer in list(owner.named_children()):
            if isinstance(layer, nn.Linear):
                if can_pack:
                    setattr(owner, name, PackedLinear(layer))
                else:
                    _round(layer)


def _round(layer: nn.Module) -> None:
    layer.to(torch.bfloat16)
    layer.register_forward_pre_hook(_round_input)


def _round_input(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return (inputs[0].bfloat16(), *inputs[1:])


def can_pack_linears() -> bool:
    """Whether torch and this processor have the packed products of `PackedLinear`.

    Its operators are those of torch's compiler: another version may lack or change them, and a processor needs AVX-512
    or AVX-NE-CONVERT for them.
    """
    linear, x = nn.Linear(32, 16), torch.randn(3, 32)
    try:
        packed = PackedLinear(linear)(x)
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        return False
    return torch.allclose(packed.float(), F.linear(x, linear.weight, linear.bias), atol=0.1)
