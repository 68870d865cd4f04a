"""What a painter is made of, as its calls see it: a space of vectors, and what turns its picture vectors into pixels.

Both are Lexel's own, or come with a published decoder.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from lexel.encoder_inputs import ImageLike
from lexel.generation.pictures.decoder import Decoder, as_pictures, as_points
from lexel.generation.pictures.flow import Solver
from lexel.training.step.seeds import seed_of

BATCH = 32  # pictures decoded at a time


class Space(Protocol):
    """A CLIP, as far as a painter needs it. An `Encoder` is one."""

    name: str

    def embed_images(self, images: Sequence[ImageLike]) -> np.ndarray:
        """(N, D) vectors, of the length that the decoder was trained with."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """(N, D) vectors in the same space. Raises UsageError where the decoder's CLIP has no texts."""
        ...


class VectorDecoder(Protocol):
    """Turns picture vectors into pictures."""

    @property
    def size(self) -> int:
        """Pixels along a side."""
        ...

    def decode(
        self, vectors: np.ndarray, *, seed: int, numbers: Sequence[int], steps: int | None, guidance: float | None
    ) -> np.ndarray:
        """uint8 pictures (N, 3, S, S) of vectors (N, D). The noise of picture i follows from (seed, numbers[i])."""
        ...

    def redraw(
        self, vectors: np.ndarray, picture: np.ndarray, *, steps: int | None, guidance: float | None
    ) -> np.ndarray:
        """uint8 pictures (N, 3, S, S) of vectors (N, D), arranged as `picture`, uint8 (3, S, S), is where the
        decoder can do so; `vectors[0]` is its own."""
        ...


class FlowDecoder:
    """Lexel's own decoder; `steps` and `guidance` are for calls that name none."""

    def __init__(self, decoder: Decoder, steps: int, guidance: float, solver: Solver = "heun") -> None:
        self.module, self.steps, self.guidance = decoder, steps, guidance
        self.solver: Solver = solver

    @property
    def size(self) -> int:
        return self.module.settings.size

    @torch.no_grad()
    def decode(
        self, vectors: np.ndarray, *, seed: int, numbers: Sequence[int], steps: int | None, guidance: float | None
    ) -> np.ndarray:
        """See `VectorDecoder`."""
        shape = (3, self.size, self.size)
        return self._sampled(vectors, noise_of(seed, "pixels", numbers, shape), steps, guidance)

    def redraw(
        self, vectors: np.ndarray, picture: np.ndarray, *, steps: int | None, guidance: float | None
    ) -> np.ndarray:
        """See `VectorDecoder`. The way from the picture back to its noise is followed, as unCLIP does with DDIM."""
        device = next(self.module.parameters()).device
        pixels, own = as_points(torch.from_numpy(picture))[None], torch.from_numpy(vectors[:1])
        noise = self.module.noise_of(pixels.to(device), own.to(device), steps=steps or self.steps, solver=self.solver)
        return self._sampled(vectors, noise.cpu().expand(len(vectors), -1, -1, -1), steps, guidance)

    @torch.no_grad()
    def _sampled(self, vectors: np.ndarray, noise: Tensor, steps: int | None, guidance: float | None) -> np.ndarray:
        device = next(self.module.parameters()).device
        found = [
            as_pictures(
                self.module.sample(
                    torch.from_numpy(vectors[start : start + BATCH]).to(device),
                    noise[start : start + BATCH].to(device),
                    steps=steps or self.steps,
                    guidance=self.guidance if guidance is None else guidance,
                    solver=self.solver,
                )
            ).cpu()
            for start in range(0, len(vectors), BATCH)
        ]
        return torch.cat(found).numpy()


def noise_of(seed: int, what: str, numbers: Sequence[int], shape: tuple[int, ...]) -> Tensor:
    """Gaussian noise (N, *shape): each sample's follows from the seed and its own number alone, on every device."""
    return torch.stack(
        [torch.randn(shape, generator=torch.Generator().manual_seed(seed_of(seed, what, number))) for number in numbers]
    )
