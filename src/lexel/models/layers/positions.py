"""Learned positions at other sizes than those they were learned at: of patches on a square grid, of tokens in a row."""

import torch
import torch.nn.functional as F
from torch import Tensor

KEPT = 20  # text positions that short captions have trained well, and that a longer context keeps as they are


def grid_of(pixels: Tensor, patch_size: int, drop_remainder: bool = False) -> int:
    """How many patches lie along a side of `pixels`; raises ValueError unless they are (B, 3, S, S) and S fits."""
    is_square = pixels.ndim == 4 and pixels.shape[1] == 3 and pixels.shape[2] == pixels.shape[3]
    if not is_square or (pixels.shape[3] % patch_size and not drop_remainder):
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


def resize_text_positions(positions: Tensor, length: int, kept: int = KEPT) -> Tensor:
    """Positions (T, D) for a context of another length: a shorter one is cut, a longer one stretched.

    The first `kept` stay as they are and the rest is interpolated linearly, and extrapolated beyond the last one, as
    in Long-CLIP (Zhang et al. 2024), whose 248 positions from 77 these are.
    """
    before = len(positions)
    if length <= before:
        return positions[:length]
    kept = min(kept, before - 2)
    if kept < 0:
        raise ValueError(f"{before} positions are too few to be stretched to {length}")
    step = (before - kept) / (length - kept)
    places = kept + torch.arange(length - kept, device=positions.device) * step
    lower = places.floor().long().clamp(max=before - 2)
    share = (places - lower)[:, None]  # of the next position; beyond 1 behind the last
    stretched = positions[lower].float() * (1 - share) + positions[lower + 1].float() * share
    return torch.cat([positions[:kept], stretched.to(positions.dtype)])
