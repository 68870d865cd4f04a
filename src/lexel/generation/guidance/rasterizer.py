"""A soft rasterizer of strokes: coverage from the distance to sampled curves, laid over each other back to front.

The coverage of a pixel is that of a line of the stroke's width seen through a small Gaussian, so it is smooth in
everything: places, widths, colours and opacities all have gradients, which end a few pixels from a stroke's edge. What
is drawn is what SVG calls a stroke with round caps and joins: a stroke that crosses itself does not cover twice.

Which of a curve's segments is nearest to a pixel is searched without gradients, and only pixels that a stroke reaches
take part in what follows; the distance to the nearest segment is that to the whole curve, so its gradient is exact.
"""

import math

import torch
from torch import Tensor

SOFTNESS = 0.3  # standard deviation of the Gaussian in pixels; a pixel's own width has 0.29
REACH = 5.0  # standard deviations beyond which a stroke's edge is not seen: its coverage there is below 3e-7
TINY = 1e-12


def rasterize(
    lines: Tensor,
    half_widths: Tensor,
    colours: Tensor,
    opacities: Tensor,
    size: int,
    background: Tensor,
    softness: float = SOFTNESS,
) -> Tensor:
    """Draw strokes on a square. → (3, size, size) in 0..1, for inputs in 0..1

    lines (N, S + 1, 2): points (x, y) of each stroke in pixels, from the upper left corner. half_widths (N,) in pixels.
    colours (N, 3), opacities (N,), background (3,) in 0..1. The last stroke lies on top.
    """
    cover = coverage(lines, half_widths, size, softness) * opacities[:, None]
    return lay_over(background, colours, cover).unflatten(1, (size, size))


def lay_over(background: Tensor, colours: Tensor, cover: Tensor) -> Tensor:
    """Alpha compositing. background (3,), colours (N, 3), cover (N, P), the last on top → (3, P)"""
    canvas = background[:, None].expand(3, cover.shape[1])
    for colour, share in zip(colours.unbind(), cover.unbind(), strict=True):
        canvas = canvas + share * (colour[:, None] - canvas)
    return canvas


def coverage(lines: Tensor, half_widths: Tensor, size: int, softness: float = SOFTNESS) -> Tensor:
    """Which share of each pixel each stroke covers: (N, size * size) in 0..1, row by row."""
    reach = half_widths.detach().clamp(min=0) + REACH * softness
    stroke, segment, pixel = nearest_segments(lines.detach(), reach, size)
    distance = distance_to(lines[stroke, segment], lines[stroke, segment + 1], pixel_centres(size, lines)[pixel])
    half = half_widths[stroke]
    share = normal_cdf((half - distance) / softness) - normal_cdf((-half - distance) / softness)
    return lines.new_zeros(len(lines), size * size).index_put((stroke, pixel), share)


@torch.no_grad()
def nearest_segments(lines: Tensor, reach: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """For each stroke and each pixel within `reach` (N,) of it: stroke, nearest segment and pixel, each (K,) int64.

    Segments are compared at the pixels of their bounding boxes alone.
    """
    row, pixel = pixels_in_boxes(lines, reach, size)
    stroke, segment = row // (lines.shape[1] - 1), row % (lines.shape[1] - 1)
    distance = distance_to(lines[stroke, segment], lines[stroke, segment + 1], pixel_centres(size, lines)[pixel])
    place = stroke * size**2 + pixel
    best = lines.new_full((len(lines) * size**2,), math.inf).scatter_reduce_(0, place, distance, "amin")
    candidates = ((distance == best[place]) & (distance <= reach[stroke])).nonzero()[:, 0]
    winner = torch.full(best.shape, -1, device=lines.device)
    winner.scatter_reduce_(0, place[candidates], candidates, "amax")  # of equally near ones, the last
    chosen = winner[winner >= 0]
    return stroke[chosen], segment[chosen], pixel[chosen]


def pixels_in_boxes(lines: Tensor, reach: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The pixels within `reach` (N,) of each segment's bounding box: numbers of segments, and of pixels, each (K,)."""
    ends = torch.stack([lines[:, :-1], lines[:, 1:]])  # (2, N, S, 2)
    first = (ends.amin(0) - reach[:, None, None] - 0.5).ceil().long().clamp(0, size).flatten(0, 1)  # (N * S, 2)
    last = (ends.amax(0) + reach[:, None, None] - 0.5).floor().long().clamp(-1, size - 1).flatten(0, 1)
    width, height = (last - first + 1).clamp(min=0).unbind(1)
    areas = width * height
    row = torch.repeat_interleave(torch.arange(len(areas), device=lines.device), areas)
    within = torch.arange(len(row), device=lines.device) - (areas.cumsum(0) - areas)[row]
    x, y = first[row, 0] + within % width[row], first[row, 1] + within // width[row]
    return row, y * size + x


def distance_to(start: Tensor, end: Tensor, pixels: Tensor) -> Tensor:
    """From segment k to pixel k, all (K, 2) → (K,). Differentiable, also where the distance is 0."""
    way, off = end - start, pixels - start
    along = ((off * way).sum(1) / (way**2).sum(1).clamp(min=TINY)).clamp(0, 1)
    return ((off - along[:, None] * way) ** 2).sum(1).add(TINY).sqrt()


def pixel_centres(size: int, like: Tensor) -> Tensor:
    """(size * size, 2): x and y of the pixels' middles, row by row."""
    middles = torch.arange(size, dtype=like.dtype, device=like.device) + 0.5
    y, x = torch.meshgrid(middles, middles, indexing="ij")
    return torch.stack([x, y], dim=-1).flatten(0, 1)


def normal_cdf(x: Tensor) -> Tensor:
    """The share of a standard normal distribution below x."""
    return 0.5 * (1 + torch.erf(x * math.sqrt(0.5)))
