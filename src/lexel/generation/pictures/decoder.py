"""The decoder: from the vector of a picture to pixels.

A U-Net of `diffusers`, trained by rectified flow. The vector is added to what describes the time, and both scale and
shift the features of every block (Ramesh et al. 2022). Squares of pixels are folded into channels first (Hoogeboom et
al. 2023), which saves most of the work of the highest resolution.

The network names the clean picture, and the velocity follows from it. The velocity itself holds all of the noise, which
a small network can hardly pass on (Li and He 2025).
"""

from typing import Any, Self

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from lexel.config import Config
from lexel.extras import missing_library
from lexel.generation.pictures.flow import Solver, follow, guided
from lexel.generation.pictures.standard import Standard

NEAREST = 0.05  # of the way: so near to the picture the velocity is that of a picture this far away
TIMES = 1000.0  # `diffusers` counts time up to this
GROUPS = 16  # of channels, each normalized by itself
HEAD = 32  # channels of an attention head


class DecoderSettings(Config):
    """The size of the decoder: pixels and layers."""

    size: PositiveInt = 32  # pixels, square
    channels: tuple[PositiveInt, ...] = Field(default=(96, 128), min_length=1)  # of each level; sides halve
    blocks: PositiveInt = 1  # of each level, on the way down
    attention: PositiveInt = 4  # levels with sides of so many cells at the most have attention
    fold: PositiveInt = 4  # pixels: squares of this side are folded into channels
    dropped: float = Field(default=0.1, ge=0, lt=1)  # share of vectors that are left out in training, for guidance
    blurred: float = Field(default=0.15, ge=0)  # noise on the vectors in training, in their own deviations

    @model_validator(mode="after")
    def _sides_halve(self) -> Self:
        divisor = self.fold * 2 ** (len(self.channels) - 1)
        if self.size % divisor:
            raise ValueError(
                f"size {self.size} must be a multiple of {divisor}: pixels are folded by {self.fold} and sides halved"
                f" {len(self.channels) - 1} times"
            )
        if odd := [channels for channels in self.channels if channels % HEAD]:
            raise ValueError(f"channels must be multiples of {HEAD}, not {odd[0]}")
        return self

    def sides(self) -> list[int]:
        """Cells along one side, of each level."""
        return [self.size // self.fold // 2**level for level in range(len(self.channels))]


class Decoder(nn.Module):
    """Velocities of pictures, given the vectors of pictures. Pixels are in −1..1."""

    unet: Any  # of `diffusers`, whose calls take more than tensors

    def __init__(self, settings: DecoderSettings, dimensions: int) -> None:
        super().__init__()
        self.settings, self.dimensions = settings, dimensions
        self.vectors = Standard(dimensions)
        told = 4 * settings.channels[0]
        self.vector = nn.Sequential(nn.Linear(dimensions, told), nn.SiLU(), nn.Linear(told, told))
        self.no_vector = nn.Parameter(torch.zeros(told))
        self.unet = _unet(settings)

    def forward(
        self, points: Tensor, times: Tensor, vectors: Tensor, kept: Tensor | None = None, blur: Tensor | None = None
    ) -> Tensor:
        """points (B, 3, S, S), times (B,) in 0..1, vectors (B, D) of unit length → velocities (B, 3, S, S).

        Where `kept` (B,) is False the vector is left out; `blur` (B, D) is added to the standardized vectors.
        """
        standard = self.vectors(vectors)
        told = self.vector(standard if blur is None else standard + blur)
        if kept is not None:
            told = torch.where(kept[:, None], told, self.no_vector.to(told.dtype))
        folded = nn.functional.pixel_unshuffle(points, self.settings.fold)
        found = self.unet(folded, times.float() * TIMES, class_labels=told).sample
        clean = nn.functional.pixel_shuffle(found.float(), self.settings.fold)
        return (clean - points) / (1 - times.float()).clamp(min=NEAREST).view(-1, 1, 1, 1)

    def velocity(self, points: Tensor, times: Tensor, vectors: Tensor, guidance: float) -> Tensor:
        """`forward` with guidance; 1 costs one pass through the network, anything else two."""
        if guidance == 1:
            return self(points, times, vectors)
        kept = torch.arange(2 * len(points), device=points.device) < len(points)
        found = self(torch.cat([points, points]), torch.cat([times, times]), torch.cat([vectors, vectors]), kept)
        shown, hidden = found.chunk(2)
        return guided(shown, hidden, guidance)

    def sample(self, vectors: Tensor, noise: Tensor, *, steps: int, guidance: float, solver: Solver = "heun") -> Tensor:
        """Pictures (B, 3, S, S) in 0..1 of unit vectors (B, D), from Gaussian noise (B, 3, S, S). Differentiable."""
        pixels = follow(lambda at, time: self.velocity(at, time, vectors, guidance), noise, steps, solver)
        return (pixels.float() / 2 + 0.5).clamp(0, 1)

    @torch.no_grad()
    def noise_of(self, pixels: Tensor, vectors: Tensor, *, steps: int, solver: Solver = "heun") -> Tensor:
        """The noise (B, 3, S, S) from which `sample` without guidance makes these pixels (B, 3, S, S) in −1..1."""
        return follow(lambda at, time: self(at, time, vectors), pixels, steps, solver, back=True)


def as_points(pictures: Tensor) -> Tensor:
    """uint8 pictures of any shape as float32 in −1..1."""
    return pictures.float() / 127.5 - 1


def as_pictures(pixels: Tensor) -> Tensor:
    """Pixels of any shape in 0..1 as uint8."""
    return (pixels * 255).round().to(torch.uint8)


def _unet(settings: DecoderSettings) -> Any:
    try:
        from diffusers.models.unets.unet_2d import UNet2DModel
    except ImportError as error:
        raise missing_library("Generating pictures", "diffusers", error) from None
    attends = [side <= settings.attention for side in settings.sides()]
    channels = 3 * settings.fold**2
    return UNet2DModel(
        sample_size=settings.sides()[0],
        in_channels=channels,
        out_channels=channels,
        block_out_channels=settings.channels,
        layers_per_block=settings.blocks,
        down_block_types=tuple("AttnDownBlock2D" if here else "DownBlock2D" for here in attends),
        up_block_types=tuple("AttnUpBlock2D" if here else "UpBlock2D" for here in reversed(attends)),
        class_embed_type="identity",
        resnet_time_scale_shift="scale_shift",
        norm_num_groups=GROUPS,
        attention_head_dim=HEAD,
    )
