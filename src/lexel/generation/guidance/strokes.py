"""A painter of strokes (CLIPDraw, Frans et al. 2021): Bézier curves with a width, a colour and an opacity each."""

from collections.abc import Sequence
from html import escape

import torch
from torch import Tensor

from lexel.generation.guidance.curves import control_points, sample_curves
from lexel.generation.guidance.generator import Latent
from lexel.generation.guidance.rasterizer import SOFTNESS, rasterize
from lexel.terminal import one_line

REACH_OF_POINTS = 0.1  # of the canvas: how far a control point starts from the one before it
LEAST_WIDTH, FIRST_WIDTH, MOST_WIDTH = 0.004, 0.03, 0.15  # of the canvas
OFF_CANVAS = 0.1  # of its side: how far a control point may leave it
SAMPLES = {1: 1, 2: 8, 3: 10}  # segments that a piece of each degree is drawn as


class Strokes:
    """Strokes on a square canvas; all its numbers are guided. A generator, see `guide`.

    `count` strokes of `pieces` Bézier curves of `degree` (1 lines, 2 quadratic, 3 cubic) that join end to end,
    drawn at `size` pixels on a `background` (red, green, blue in 0..1). The same seed begins with the same strokes.
    """

    def __init__(
        self,
        count: int = 64,
        size: int = 64,
        *,
        pieces: int = 2,
        degree: int = 3,
        background: tuple[float, float, float] = (1.0, 1.0, 1.0),
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        random = torch.Generator().manual_seed(seed)
        steps = REACH_OF_POINTS * (2 * torch.rand(count, control_points(pieces, degree), 2, generator=random) - 1)
        steps[:, 0] = torch.rand(count, 2, generator=random)
        self.size, self.degree = size, degree
        self.points = steps.cumsum(1).to(device)  # (N, P, 2) in canvas sides, from the upper left corner
        self.widths = torch.full((count,), FIRST_WIDTH, device=device)  # (N,) in canvas sides
        self.colours = torch.rand(count, 3, generator=random).to(device)  # (N, 3) in 0..1
        self.opacities = (0.4 + 0.6 * torch.rand(count, generator=random)).to(device)  # (N,) in 0..1
        self.background = torch.tensor(background, device=device)
        self.settle()

    def latents(self) -> Sequence[Latent]:
        """Control points, widths, colours and opacities."""
        return (
            Latent(self.points, 0.006, spread=0.25),
            Latent(self.widths, 0.0008, spread=0.02),
            Latent(self.colours, 0.02, spread=0.3),
            Latent(self.opacities, 0.02, spread=0.3),
        )

    def images(self) -> Tensor:
        """The drawing, (1, 3, size, size)."""
        return self._drawn(self.size)

    def render(self, side: int) -> Tensor:
        """The drawing at another size."""
        with torch.no_grad():
            return self._drawn(side)

    @torch.no_grad()
    def settle(self) -> None:
        """Keep the numbers where they can be drawn."""
        self.points.clamp_(-OFF_CANVAS, 1 + OFF_CANVAS)
        self.widths.clamp_(LEAST_WIDTH, MOST_WIDTH)
        self.colours.clamp_(0, 1)
        self.opacities.clamp_(0, 1)

    @torch.no_grad()
    def take_colours(self, picture: Tensor) -> None:
        """Give each stroke the colour that a picture (3, H, W) in 0..1 has at its middle."""
        middle = self.points.mean(1).clamp(0, 1)  # (N, 2)
        grid = (2 * middle - 1)[None, None].to(picture)
        found = torch.nn.functional.grid_sample(picture[None], grid, padding_mode="border", align_corners=False)
        self.colours.copy_(found[0, :, 0].T.clamp(0, 1))
        self.opacities.fill_(0.9)

    @torch.no_grad()
    def to_svg(self, title: str = "") -> str:
        """The drawing as SVG, in hundredths of a canvas pixel; browsers draw it as `images` does."""
        side = self.size
        red, green, blue = _bytes(self.background)
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" width="512" height="512">',
            *([f"<title>{escape(one_line(title), quote=False)}</title>"] if title else []),
            f'<rect width="{side}" height="{side}" fill="#{red:02x}{green:02x}{blue:02x}"/>',
            '<g fill="none" stroke-linecap="round" stroke-linejoin="round">',
            *(self._path(number) for number in range(len(self.points))),
            "</g>",
            "</svg>",
        ]
        return "\n".join(lines) + "\n"

    def _drawn(self, side: int) -> Tensor:
        lines = sample_curves(self.points, self.degree, self._samples(side)) * side
        half_widths = self.widths * side / 2
        drawn = rasterize(lines, half_widths, self.colours, self.opacities, side, self.background, SOFTNESS)
        return drawn[None]

    def _samples(self, side: int) -> int:
        """More segments for a larger picture, so that corners between them are not seen."""
        return SAMPLES[self.degree] if self.degree == 1 else max(SAMPLES[self.degree], side // 16)

    def _path(self, number: int) -> str:
        points = (self.points[number].detach() * self.size).tolist()
        rest = [f"{x:.2f} {y:.2f}" for x, y in points[1:]]
        letter = {1: "L", 2: "Q", 3: "C"}[self.degree]
        curves = [f"{letter}{', '.join(rest[at : at + self.degree])}" for at in range(0, len(rest), self.degree)]
        red, green, blue = _bytes(self.colours[number])
        return (
            f'<path d="M{points[0][0]:.2f} {points[0][1]:.2f} {" ".join(curves)}" '
            f'stroke="#{red:02x}{green:02x}{blue:02x}" stroke-width="{float(self.widths[number]) * self.size:.3f}" '
            f'stroke-opacity="{float(self.opacities[number]):.3f}"/>'
        )


def _bytes(colour: Tensor) -> list[int]:
    return (colour.detach() * 255).round().int().tolist()
