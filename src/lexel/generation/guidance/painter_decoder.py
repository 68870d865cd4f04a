"""A painter's decoder as a generator: guidance moves the picture vector, and the noise that it is decoded from.

What the decoder draws of any vector looks like what it has learned from, which keeps guidance from noise better than
views alone do.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from lexel.errors import UsageError
from lexel.generation.guidance.generator import Latent
from lexel.generation.pictures.decoder import Decoder, as_points
from lexel.generation.pictures.painter import PRIOR_GUIDANCE, PRIOR_STEPS, Painter
from lexel.generation.pictures.parts import FlowDecoder, noise_of

SAMPLING_STEPS = 6  # of Heun's method, in each step of guidance; gradients go back through all of them
START_STEPS = 16  # where it begins with a picture, which is found again only by small steps
SAMPLING_GUIDANCE = 2.0


class PainterDecoder:
    """One picture of a painter, (1, 3, S, S). A generator, see `guide`.

    It begins with what the painter imagines of `text`; with a `start`, uint8 (3, S, S), as that picture is decoded from
    its own vector and noise; or with the mean of all pictures. Raises UsageError for a published decoder, whose
    pipeline gives no gradients.
    """

    def __init__(
        self,
        painter: Painter,
        *,
        text: str | None = None,
        start: Tensor | None = None,
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> None:
        if not isinstance(painter.decoder, FlowDecoder):
            raise UsageError(f"{painter.space.name} is a published decoder, which gives no gradients to steer by.")
        self.decoder: Decoder = painter.decoder.module.eval().requires_grad_(False)
        self.steps = steps or (SAMPLING_STEPS if start is None else START_STEPS)
        # The way back to a picture's noise is that without guidance, so a start is drawn without it too.
        self.guidance = guidance if guidance is not None else (1.0 if start is not None else SAMPLING_GUIDANCE)
        device = next(self.decoder.parameters()).device
        vector = self._first_vector(painter, text, start, seed).to(device)
        if start is None:
            self.noise = noise_of(seed, "pixels", [0], (3, self.decoder.settings.size, self.decoder.settings.size))
        else:
            self.noise = self.decoder.noise_of(as_points(start)[None].to(device), vector, steps=self.steps)
        self.noise = self.noise.to(device).contiguous()
        self.vector = vector.contiguous()
        self._length = self.noise.norm()

    def latents(self) -> Sequence[Latent]:
        """The picture vector (1, D) and the noise (1, 3, S, S)."""
        usual = self.vector.shape[1] ** -0.5
        return (Latent(self.vector, 0.05 * usual, spread=usual), Latent(self.noise, 0.01))

    def images(self) -> Tensor:
        """The picture, (1, 3, S, S)."""
        return self.decoder.sample(
            F.normalize(self.vector, dim=1), self.noise, steps=self.steps, guidance=self.guidance
        )

    @torch.no_grad()
    def settle(self) -> None:
        """Keep the vector on its sphere, and the noise as long as noise is."""
        self.vector.copy_(F.normalize(self.vector, dim=1))
        self.noise.mul_(self._length / self.noise.norm())

    def _first_vector(self, painter: Painter, text: str | None, start: Tensor | None, seed: int) -> Tensor:
        if start is not None:
            return F.normalize(torch.from_numpy(painter.space.embed_images([start.permute(1, 2, 0).numpy()])), dim=1)
        if text is not None and painter.prior is not None:
            given = torch.from_numpy(painter.space.embed_texts([text])).to(next(painter.prior.parameters()).device)
            noise = noise_of(seed, "vector", [0], (given.shape[1],)).to(given)
            with torch.no_grad():
                imagined = painter.prior.sample(given, noise, steps=PRIOR_STEPS, guidance=PRIOR_GUIDANCE)
            return F.normalize(imagined, dim=1)
        return F.normalize(self.decoder.vectors.mean[None].detach().clone(), dim=1)
