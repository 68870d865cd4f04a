"""Pixels in a Fourier basis with decorrelated colours (Olah et al. 2017), which guidance can change freely.

A latent of 1 means about as much at each frequency and along each colour axis as photographs have there, so all of
them are learned at one rate; without this, gradients of a CLIP pile up as fine noise.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from lexel.generation.guidance.generator import Latent

# Principal axes of the log-odds of colours, times their standard deviations: 3,000 pictures of tiny-imagenet's
# training split, averaged to 16 × 16. Rows are red, green, blue; the first axis is brightness.
COLOUR_AXES = ((-1.369, -0.624, 0.145), (-1.417, 0.004, -0.311), (-1.491, 0.568, 0.162))
FIRST_SPREAD = 0.05  # of the latents of a random start, which is nearly grey
LEAST_SHARE = 1 / 512  # a start's pixels stay this far from black and white, which have no finite log-odds


class FourierPixels:
    """Pictures (B, 3, size, size) whose spectrum is guided. A generator, see `guide`.

    They begin nearly grey, from `seed`; or as `start`, pictures (B, 3, size, size) in 0..1.
    """

    def __init__(
        self,
        size: int = 64,
        *,
        count: int = 1,
        seed: int = 0,
        start: Tensor | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.size = size
        self._scale = frequency_scale(size).to(device)  # (size, size // 2 + 1)
        self._axes = torch.tensor(COLOUR_AXES, device=device)
        if start is None:
            random = torch.Generator().manual_seed(seed)
            shape = (count, 3, *self._scale.shape, 2)
            self.spectrum = FIRST_SPREAD * torch.randn(shape, generator=random).to(device)
        else:
            self.spectrum = self._spectrum_of(start.to(device))

    def latents(self) -> Sequence[Latent]:
        """The spectrum, (B, 3, size, size // 2 + 1, 2)."""
        return (Latent(self.spectrum, 0.05, spread=1.0),)

    def images(self) -> Tensor:
        """The pictures, (B, 3, size, size)."""
        waves = torch.view_as_complex(self.spectrum) * self._scale
        axes = torch.fft.irfft2(waves, s=(self.size, self.size), norm="ortho")
        return torch.einsum("ca,bahw->bchw", self._axes, axes).sigmoid()

    def _spectrum_of(self, pictures: Tensor) -> Tensor:
        log_odds = pictures.float().clamp(LEAST_SHARE, 1 - LEAST_SHARE).logit()
        axes = torch.einsum("ac,bchw->bahw", torch.linalg.inv(self._axes), log_odds)
        return torch.view_as_real(torch.fft.rfft2(axes, norm="ortho") / self._scale).contiguous()


def frequency_scale(size: int) -> Tensor:
    """What a latent of 1 is worth at each frequency: as 1/f, such that pixels vary by about 1. (size, size // 2 + 1)"""
    across, down = torch.fft.rfftfreq(size), torch.fft.fftfreq(size)
    frequency = torch.sqrt(down[:, None] ** 2 + across[None] ** 2).clamp(min=1 / size)
    return (1 / frequency) / (1 / frequency).square().mean().sqrt()
