"""Random views of a picture: crops in perspective, with noise, as an image tower takes them. All differentiable.

A picture that shows something shows it from a little aside too; noise that fools a tower seldom survives that.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from lexel.images import Preprocessing

CORNERS = ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0))  # x, y of a square's corners, -1..1


def draw_homographies(count: int, crop: float, perspective: float, random: torch.Generator) -> Tensor:
    """Random views as matrices (V, 3, 3) that say which place of the picture a place of the view shows, both in -1..1.

    The first is the whole picture. The others are squares of `crop` to 1 of its side, anywhere within it, whose
    corners are moved by up to `perspective` of half a side. float64, on the CPU.
    """
    side = crop + (1 - crop) * torch.rand(count, 1, 1, generator=random, dtype=torch.float64)
    middle = (1 - side) * (2 * torch.rand(count, 1, 2, generator=random, dtype=torch.float64) - 1)
    moved = perspective * (2 * torch.rand(count, 4, 2, generator=random, dtype=torch.float64) - 1)
    corners = torch.tensor(CORNERS, dtype=torch.float64)
    seen = middle + side * (corners + moved)  # (V, 4, 2)
    seen[0] = corners
    return homographies(seen)


def homographies(seen: Tensor) -> Tensor:
    """The projective maps (V, 3, 3) that take the corners of the square -1..1 to `seen` (V, 4, 2)."""
    corners = seen.new_tensor(CORNERS)
    ones, zeros = torch.ones(4, 1).to(seen), torch.zeros(4, 3).to(seen)
    source = torch.cat([corners, ones], dim=1)  # (4, 3)
    x, y = seen[..., :1], seen[..., 1:]
    rows = torch.cat(
        [
            torch.cat([source.expand(len(seen), 4, 3), zeros.expand(len(seen), 4, 3), -x * corners], dim=2),
            torch.cat([zeros.expand(len(seen), 4, 3), source.expand(len(seen), 4, 3), -y * corners], dim=2),
        ],
        dim=1,
    )  # (V, 8, 8)
    solved = torch.linalg.solve(rows, torch.cat([x, y], dim=1))[..., 0]
    return torch.cat([solved, torch.ones(len(seen), 1).to(seen)], dim=1).view(-1, 3, 3)


def views_of(images: Tensor, maps: Tensor, size: int) -> Tensor:
    """images (B, 3, S, S) and maps (V, 3, 3) → (B * V, 3, size, size), all views of the first picture first.

    Beyond its edges a picture goes on as at the edge.
    """
    if images.shape[-1] > size:  # or sampling would skip pixels
        images = F.interpolate(images, (size, size), mode="bilinear", antialias=True, align_corners=False)
    grid = F.affine_grid(torch.eye(2, 3, dtype=maps.dtype)[None], [1, 1, size, size], align_corners=False)
    places = F.pad(grid.view(-1, 2), (0, 1), value=1.0) @ maps.transpose(1, 2)  # (V, size², 3)
    seen = (places[..., :2] / places[..., 2:]).view(len(maps), size, size, 2).to(images)
    count = len(images)
    return F.grid_sample(
        images.repeat_interleave(len(maps), dim=0),
        seen.repeat(count, 1, 1, 1),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )


def normalised(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Pictures in 0..1 as the image tower wants their colours."""
    mean = images.new_tensor(preprocessing.mean)[:, None, None]
    return (images - mean) / images.new_tensor(preprocessing.std)[:, None, None]
