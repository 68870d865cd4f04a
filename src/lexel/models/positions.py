"""Learned positions on a square grid of patches, at resolutions other than the one they were learned at."""

import torch
import torch.nn.functional as F
from torch import Tensor


def grid_of(pixels: Tensor, patch_size: int) -> int:
    """How many patches lie along a side of `pixels`; raises ValueError unless they are (B, 3, S, S) and S fits."""
    if pixels.ndim != 4 or pixels.shape[1] != 3 or pixels.shape[2] != pixels.shape[3] or pixels.shape[3] % patch_size:
        raise ValueError(
            f"pixels must be (B, 3, S, S) with S a multiple of {patch_size}, but their shape is {tuple(pixels.shape)}"
        )
    return pixels.shape[3] // patch_size


def resize_positions(positions: Tensor, grid_from: int, grid_to: int) -> Tensor:
    """Stretch positions (T, D) from one grid's side to another's; what stands before the patches is kept as it is."""
    if grid_from == grid_to:
        return positions
    leading = len(positions) - grid_from**2
    if leading < 0:
        raise ValueError(f"{len(positions)} positions are too few for a grid of {grid_from}×{grid_from}")
    before, patches = positions[:leading], positions[leading:]
    picture = patches.float().T.unflatten(1, (grid_from, grid_from))[None]  # (1, D, grid, grid)
    picture = F.interpolate(picture, size=(grid_to, grid_to), mode="bicubic", align_corners=False, antialias=True)
    return torch.cat([before, picture[0].flatten(1).T.to(positions.dtype)])
