"""The Vision Transformer image tower: pixels → patches → blocks → one embedding an image.

It takes any square image whose side is a multiple of the patch size: positions are interpolated on the fly. With
`drop_remainder` it takes any side, and pixels beyond the last whole patch, at the right and below, are not seen.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lexel.architectures.config import VisionTransformerConfig
from lexel.models.layers.pooling import MapPool, QueryPool
from lexel.models.layers.positions import grid_of, resize_positions
from lexel.models.layers.transformer import Blocks
from lexel.models.towers import Tower


class PatchStem(nn.Conv2d):
    """One strided convolution: each patch times the kernel. (B, 3, H, W) → (B, D, H/patch, W/patch)."""

    def __init__(self, config: VisionTransformerConfig) -> None:
        super().__init__(3, config.width, config.patch_size, stride=config.patch_size, bias=config.patch_bias)

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or input.device.type != "cpu":
            return super().forward(input)
        # PyTorch's backward pass of it is slow on a CPU, tenfold in bfloat16; that of one product is not.
        patch = self.kernel_size[0]
        grid = input.shape[-1] // patch
        seen = input[:, :, : grid * patch, : grid * patch]  # what is left over goes unseen
        patches = seen.unflatten(2, (grid, patch)).unflatten(4, (grid, patch)).permute(0, 2, 4, 1, 3, 5)
        return F.linear(patches.flatten(3), self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)


def build_stem(config: VisionTransformerConfig) -> nn.Module:
    """Pixels (B, 3, H, W) → patches (B, D, H/patch, W/patch).

    `patch`: see PatchStem. `convolutional` halves the picture with 3×3 convolutions while doubling the
    channels (Xiao et al. 2021), normalised within each picture, so that no result depends on the rest of the batch.
    """
    if config.stem == "patch":
        return PatchStem(config)
    halvings = config.patch_size.bit_length() - 1
    channels = [3, *(config.width >> step for step in reversed(range(halvings)))]
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [
            nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
            nn.GroupNorm(1, after),
            nn.GELU(),
        ]
    return nn.Sequential(*layers, nn.Conv2d(config.width, config.width, 1))


class VisionTransformer(Tower):
    """Image tower: normalised pixels (B, 3, H, W) → embeddings (B, E), not of unit length."""

    can_checkpoint = True

    def __init__(self, config: VisionTransformerConfig, embedding: int) -> None:
        super().__init__(config.kind)
        width = config.width
        self.patch_size = config.patch_size
        self.drop_remainder = config.drop_remainder
        self.norm_tokens = config.norm_tokens
        self.pooling = config.pooling
        self.grid = config.grid
        self.stem = build_stem(config)
        self.class_embedding = nn.Parameter(torch.zeros(width)) if config.has_class_token else None
        self.position_embedding = nn.Parameter(torch.zeros(self.grid**2 + config.has_class_token, width))
        self.pre_norm = nn.LayerNorm(width, config.norm_epsilon) if config.pre_norm else nn.Identity()
        self.blocks = Blocks(config, causal=False)
        if config.pooling == "attention":
            self.pool, width = QueryPool(config, embedding), embedding
        else:
            self.pool = MapPool(config) if config.pooling == "map" else None
        self.final_norm = nn.LayerNorm(width, config.norm_epsilon)
        self.projection = nn.Linear(width, embedding, bias=False) if config.projection else nn.Identity()

    @property
    def can_compile(self) -> bool:
        return True

    def compile_training(self) -> None:
        self.blocks.compile_training()

    def blocks_in_order(self) -> list[nn.Module]:
        return list(self.blocks)

    def forward(self, pixels: Tensor, kept: Tensor | None = None) -> Tensor:  # (B, 3, H, W) → (B, E)
        """`kept` (B, K) int64 says which patches of each image are looked at (see `choose_patches`); None: all."""
        tokens = self.pre_norm(self.embed(pixels, kept))
        read = 0 if self.pooling == "class" else None
        tokens = self.blocks(tokens, read=read, recomputed=self.training and self.checkpoint_activations)
        if read is not None:
            return self.projection(self.final_norm(tokens))
        if self.norm_tokens:
            return self.projection(self._pool(self.final_norm(tokens)))
        return self.projection(self.final_norm(self._pool(tokens)))

    def pooled_tokens(self, pixels: Tensor) -> Tensor:
        """What each query of CoCa's pooling takes from a picture, before the projection. (B, 3, H, W) → (B, Q, E).

        The projection of the first is the embedding; the rest is what CoCa's decoder looks at.
        """
        assert isinstance(self.pool, QueryPool)
        return self.final_norm(self.pool.every(self.blocks(self.pre_norm(self.embed(pixels)))))

    def embed(self, pixels: Tensor, kept: Tensor | None = None) -> Tensor:
        """Patches with their positions, the class token first where there is one. (B, 3, H, W), (B, K) → (B, T, D)."""
        grid = grid_of(pixels, self.patch_size, self.drop_remainder)
        positions = resize_positions(self.position_embedding, self.grid, grid)
        patches = self.stem(pixels).flatten(2).transpose(1, 2)
        patches = patches + positions[-patches.shape[1] :]
        if kept is not None:
            patches = patches.gather(1, kept[..., None].expand(-1, -1, patches.shape[2]))
        if self.class_embedding is None:
            return patches
        first = (self.class_embedding + positions[0]).expand(patches.shape[0], 1, -1)
        return torch.cat([first, patches], dim=1)

    def _pool(self, tokens: Tensor) -> Tensor:  # (B, T, D) → (B, D)
        if self.pool is not None:
            return self.pool(tokens)
        return tokens.mean(dim=1) if self.class_embedding is None else tokens[:, 1:].mean(dim=1)
