"""The ConvNeXt image tower (Liu et al. 2022): convolutions arranged as a Transformer is.

timm's names, which OpenCLIP's checkpoints have below `visual.trunk`, are these here:

| timm                             | here, below `image`               |
|----------------------------------|-----------------------------------|
| stem.0 · stem.1                  | stem.convolution · stem.norm      |
| stages.S.downsample.0 · .1 (S>0) | stages.S.shrink.norm · .shrink.convolution |
| stages.S.blocks.N.conv_dw        | stages.S.blocks.N.mix             |
| stages.S.blocks.N.norm           | stages.S.blocks.N.norm            |
| stages.S.blocks.N.mlp.fc1 · .fc2 | stages.S.blocks.N.mlp.expand · .mlp.contract |
| stages.S.blocks.N.gamma          | stages.S.blocks.N.gain            |
| head.norm                        | final_norm                        |
| (visual.)head.proj               | projection                        |
| (visual.)head.mlp.fc1 · .fc2     | projection.0 · projection.2       |
"""

import torch
from torch import Tensor, nn

from lexel.architectures.config import CONVOLUTIONAL_CELL, ConvNeXtConfig
from lexel.models.layers.positions import grid_of
from lexel.models.layers.transformer import MLP, recompute
from lexel.models.towers import Tower


class ChannelNorm(nn.LayerNorm):
    """LayerNorm of each cell's channels. (B, C, H, W) → (B, C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXtStem(nn.Module):
    """Pixels (B, 3, H, W) → (B, C, H/4, W/4)."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, width, 4, stride=4)
        self.norm = ChannelNorm(width, epsilon)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.norm(self.convolution(pixels))


class Shrink(nn.Module):
    """Twice the channels at half the size. (B, C, H, W) → (B, 2C, H/2, W/2)."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.norm = ChannelNorm(width, epsilon)
        self.convolution = nn.Conv2d(width, 2 * width, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(self.norm(x))


class ConvNeXtBlock(nn.Module):
    """Each channel mixed over 7×7 cells, then an MLP on each cell; added to what came in."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.mix = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, epsilon)
        self.mlp = MLP(width, 4 * width, "gelu")
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) → (B, C, H, W)
        cells = self.mix(x).permute(0, 2, 3, 1)  # (B, H, W, C)
        return x + (self.mlp(self.norm(cells)) * self.gain).permute(0, 3, 1, 2)


class Stage(nn.Module):
    """Blocks at one size; every stage but the first shrinks what it gets."""

    def __init__(self, width: int, depth: int, epsilon: float, *, shrinks: bool) -> None:
        super().__init__()
        self.shrink = Shrink(width // 2, epsilon) if shrinks else nn.Identity()
        self.blocks = nn.Sequential(*(ConvNeXtBlock(width, epsilon) for _ in range(depth)))

    def forward(self, x: Tensor, *, recomputed: bool = False) -> Tensor:
        """`recomputed`: the backward pass makes the blocks' activations again."""
        x = self.shrink(x)
        for block in self.blocks:
            x = recompute(block, x) if recomputed else block(x)
        return x


class ConvNeXt(Tower):
    """Image tower: normalised pixels (B, 3, H, W) → embeddings (B, E), not of unit length."""

    can_checkpoint = True

    def __init__(self, config: ConvNeXtConfig, embedding: int) -> None:
        super().__init__(config.kind)
        epsilon = config.norm_epsilon
        self.stem = ConvNeXtStem(config.width, epsilon)
        self.stages = nn.Sequential(
            *(
                Stage(config.width * 2**stage, depth, epsilon, shrinks=stage > 0)
                for stage, depth in enumerate(config.depths)
            )
        )
        width = config.width * 2 ** (len(config.depths) - 1)
        self.final_norm = nn.LayerNorm(width, epsilon)
        self.projection = (
            nn.Linear(width, embedding, bias=False)
            if config.projection == "linear"
            else nn.Sequential(
                nn.Linear(width, 2 * embedding), nn.GELU(), nn.Linear(2 * embedding, embedding, bias=False)
            )
        )

    def blocks_in_order(self) -> list[nn.Module]:
        return [block for stage in self.stages if isinstance(stage, Stage) for block in stage.blocks]

    def forward(self, pixels: Tensor) -> Tensor:  # (B, 3, H, W) → (B, E)
        grid_of(pixels, CONVOLUTIONAL_CELL)
        cells = self.stem(pixels)
        for stage in self.stages:
            cells = stage(cells, recomputed=self.training and self.checkpoint_activations)
        return self.projection(self.final_norm(cells.mean(dim=(2, 3))))
