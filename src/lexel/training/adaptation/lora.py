"""LoRA (Hu et al. 2021; for CLIP, Zanella and Ben Ayed 2024): a small product is trained beside a large matrix W.

    y = W x + b + scale · up (down x)        up (out, rank) begins at 0, down (rank, in) drawn at random

W, b and everything else stay as they are, so the model begins as itself, and no moments of W are held. At the end
W + scale · up down takes the place of W, and the model is a plain one again.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lexel.errors import UsageError
from lexel.models.clip import CLIP
from lexel.models.towers import Tower
from lexel.training.adaptation.settings import AdaptSettings

DOWN, UP = "down", "up"
ATTENTION = ("attention", "attn")  # in the names of modules, whichever library built them


class AdaptedLinear(nn.Linear):
    """A linear layer whose own weights are frozen, and the product beside it."""

    def __init__(self, layer: nn.Linear, settings: AdaptSettings) -> None:
        nn.Module.__init__(self)  # the weights are those of `layer`; none are made
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.weight, self.bias = layer.weight, layer.bias
        self.scale, self.dropout = settings.scale, settings.dropout
        self.down, self.up = _products(layer.weight, settings.rank)

    def forward(self, input: Tensor) -> Tensor:  # (…, in) → (…, out)
        kept = F.dropout(input, self.dropout, self.training)
        return super().forward(input) + self.scale * F.linear(F.linear(kept, self.down), self.up)


class AdaptedConv(nn.Conv2d):
    """A convolution whose own weights are frozen, and beside it one with few channels."""

    def __init__(self, layer: nn.Conv2d, settings: AdaptSettings) -> None:
        nn.Module.__init__(self)
        for name, value in vars(layer).items():  # strides and the like
            if not name.startswith("_") and name != "training":
                setattr(self, name, value)
        self._reversed_padding_repeated_twice = layer._reversed_padding_repeated_twice
        self.weight, self.bias = layer.weight, layer.bias
        self.scale, self.dropout = settings.scale, settings.dropout
        self.down, self.up = _products(layer.weight, settings.rank)

    def forward(self, input: Tensor) -> Tensor:  # (B, in, H, W) → (B, out, H', W')
        kept = F.dropout(input, self.dropout, self.training)
        few = self._conv_forward(kept, self.down.view(-1, *self.weight.shape[1:]), None)
        return super().forward(input) + self.scale * F.conv2d(few, self.up[:, :, None, None])


Adapted = AdaptedLinear | AdaptedConv


def _products(weight: Tensor, rank: int) -> tuple[nn.Parameter, nn.Parameter]:
    """down (rank, in), the kernel of a convolution laid flat, and up (out, rank)."""
    out, flat = weight.shape[0], weight[0].numel()
    down = torch.empty(rank, flat, dtype=weight.dtype, device=weight.device)
    up = torch.zeros(out, rank, dtype=weight.dtype, device=weight.device)
    return nn.Parameter(down), nn.Parameter(up)


def add_adapters(clip: CLIP, settings: AdaptSettings, seed: int) -> None:
    """Freeze `clip`, and put products that learn beside the layers that the settings name.

    The same seed draws the same products. Raises UsageError where a tower has no such layer, or the rank is larger than
    one.
    """
    clip.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for side in settings.towers:
        tower = clip.towers[side]
        layers = adapted_layers(tower, settings)
        if not layers:
            products = " or ".join(settings.products)
            raise UsageError(
                f"adapt.products: the blocks of the {side} tower ({tower.name}) have no {products} for LoRA to stand "
                "beside.\nAdapt it as a whole, --adapt full, or leave it out of adapt.towers."
            )
        for name, layer in layers.items():
            out, flat = layer.weight.shape[0], layer.weight[0].numel()
            if settings.rank > min(out, flat):
                raise UsageError(
                    f"adapt.rank = {settings.rank} is larger than the layer {side}.{name} ({out} × {flat}). Take "
                    f"{min(out, flat)} at most; 4 to 16 is usual."
                )
            adapted = AdaptedLinear(layer, settings) if isinstance(layer, nn.Linear) else AdaptedConv(layer, settings)
            drawn = torch.randn(adapted.down.shape, generator=generator) * flat**-0.5
            adapted.down.data.copy_(drawn)
            owner, _, leaf = name.rpartition(".")
            setattr(tower.get_submodule(owner), leaf, adapted)
    clip.train(clip.training)


def adapted_layers(tower: Tower, settings: AdaptSettings) -> dict[str, nn.Linear | nn.Conv2d]:
    """The layers within the topmost blocks that the settings name, by their names in the tower.

    A convolution that treats each channel on its own has no large matrix to stand beside.
    """
    blocks = tower.blocks_in_order()
    chosen = {module for block in blocks[-(settings.blocks or len(blocks)) :] for module in block.modules()}
    return {
        name: module
        for name, module in tower.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
        and module in chosen
        and getattr(module, "groups", 1) == 1
        and _product(name, module) in settings.products
    }


def _product(name: str, layer: nn.Module) -> str:
    """Which product of a block a layer belongs to."""
    if isinstance(layer, nn.Conv2d):
        return "convolution"
    return "attention" if any(word in name.lower() for word in ATTENTION) else "mlp"


def adapter_tensors(clip: CLIP) -> dict[str, Tensor]:
    """The products by the names of the layers that they stand beside, with `.down` or `.up` behind them."""
    return {
        f"{name}.{part}": getattr(module, part).detach()
        for name, module in clip.named_modules()
        if isinstance(module, Adapted)
        for part in (DOWN, UP)
    }
