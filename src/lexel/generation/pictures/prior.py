"""The prior: from the vector of a text to the vector of a picture that it could describe.

A text fits many pictures, and CLIP puts texts and pictures into different parts of its space, so a text's vector is no
picture's. The prior learns the distribution of picture vectors given a text's (Ramesh et al. 2022), by rectified flow.
It is a residual multilayer perceptron whose layers are scaled and shifted by text and time (Peebles and Xie 2023).
"""

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from lexel.config import Config
from lexel.generation.pictures.flow import Solver, follow, guided
from lexel.generation.pictures.standard import Standard

TIME_WAVES = 64  # sines and cosines that a time is described by
FASTEST_WAVE = 1000.0  # radians over the whole way


class PriorSettings(Config):
    """The size of the prior."""

    width: PositiveInt = 384
    depth: PositiveInt = 4  # residual blocks
    dropped: float = Field(default=0.1, ge=0, lt=1)  # share of texts that are left out in training, for guidance


class PriorBlock(nn.Module):
    """A residual block of which the condition (B, W) scales and shifts the input and scales the output."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 3 * width)
        self.inner = nn.Sequential(nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width))
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:  # (B, W), (B, W) → (B, W)
        scale, shift, gate = self.modulation(condition).chunk(3, dim=1)
        return x + gate * self.inner(self.norm(x) * (1 + scale) + shift)


class Prior(nn.Module):
    """Velocities of picture vectors, given the vectors of texts. Works on standardized picture vectors."""

    def __init__(self, settings: PriorSettings, dimensions: int) -> None:
        super().__init__()
        width = settings.width
        self.settings, self.dimensions = settings, dimensions
        self.pictures, self.texts = Standard(dimensions), Standard(dimensions)
        self.time = nn.Sequential(nn.Linear(TIME_WAVES, width), nn.SiLU(), nn.Linear(width, width))
        self.text = nn.Sequential(nn.Linear(dimensions, width), nn.SiLU(), nn.Linear(width, width))
        self.no_text = nn.Parameter(torch.zeros(width))
        self.enter = nn.Linear(dimensions, width)
        self.blocks = nn.ModuleList(PriorBlock(width) for _ in range(settings.depth))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, dimensions)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, points: Tensor, times: Tensor, texts: Tensor, kept: Tensor | None = None) -> Tensor:
        """points (B, D) standardized, times (B,) in 0..1, texts (B, D) unit vectors → velocities (B, D).

        Where `kept` (B,) is False the text is left out.
        """
        text = self.text(self.texts(texts))
        if kept is not None:
            text = torch.where(kept[:, None], text, self.no_text.to(text.dtype))
        condition = nn.functional.silu(text + self.time(waves_of(times)))
        x = self.enter(points)
        for block in self.blocks:
            x = block(x, condition)
        return self.leave(self.norm(x))

    @torch.no_grad()
    def sample(self, texts: Tensor, noise: Tensor, *, steps: int, guidance: float, solver: Solver = "heun") -> Tensor:
        """Unit picture vectors (B, D) for unit text vectors (B, D), from Gaussian noise (B, D)."""

        def velocity(points: Tensor, times: Tensor) -> Tensor:
            if guidance == 1:
                return self(points, times, texts)
            nobody = torch.zeros(len(texts), dtype=torch.bool, device=texts.device)
            return guided(self(points, times, texts), self(points, times, texts, nobody), guidance)

        found = self.pictures.undo(follow(velocity, noise, steps, solver))
        return nn.functional.normalize(found.float(), dim=1)


def waves_of(times: Tensor) -> Tensor:
    """times (B,) in 0..1 → (B, TIME_WAVES): sines and cosines from half a turn to many over the way."""
    half = TIME_WAVES // 2
    speeds = torch.logspace(0, torch.log10(torch.tensor(FASTEST_WAVE)).item(), half, device=times.device)
    angles = times.float()[:, None] * speeds
    return torch.cat([angles.sin(), angles.cos()], dim=1)
