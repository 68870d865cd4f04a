"""Generators and models that guidance is tested with: tiny, and quick enough to be steered in tests."""

import torch
from torch import Tensor, nn

from lexel.generation.guidance.generator import Latent


class PlainPixels:
    """The pixels themselves; `spoil` makes something else of them."""

    def __init__(self, size: int = 16, count: int = 1, spoil=lambda images: images) -> None:
        self.pixels = torch.full((count, 3, size, size), 0.5)
        self.spoil = spoil

    def latents(self):
        return [Latent(self.pixels, 0.02)]

    def images(self) -> Tensor:
        return self.spoil(self.pixels)

    def settle(self) -> None:
        with torch.no_grad():
            self.pixels.clamp_(0, 1)


class TinyGan(nn.Module):
    """z (B, 8) → (B, 3, 16, 16) in −1..1, as a StyleGAN's generator gives it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 3 * 4 * 4)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator))

    def forward(self, z: Tensor) -> Tensor:
        small = torch.tanh(self.layer(z).view(-1, 3, 4, 4))
        return nn.functional.interpolate(small, scale_factor=4.0, mode="nearest")
