"""The painter: pictures of the shared space from words, from other pictures, and from what lies between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from lexel.encoder_inputs import ImageLike, as_picture, check_texts
from lexel.errors import UsageError
from lexel.generation.pictures.parts import Space, VectorDecoder, noise_of
from lexel.generation.pictures.prior import Prior
from lexel.generation.pictures.sphere import shares, slerp
from lexel.images import Preprocessing, fit
from lexel.unit_vectors import unit

if TYPE_CHECKING:
    from lexel.encoder import Encoder

PRIOR_STEPS = 16  # of Heun's method
PRIOR_GUIDANCE = 1.5
MOST_PICTURES = 10_000  # of one call: all are held in memory
STRENGTH = 0.4  # of an edit: share of the angle towards the difference of the texts


@dataclass(frozen=True, slots=True)
class Drawn:
    """A generated picture."""

    image: Image.Image  # RGB
    score: float  # cosine of its vector and of what was asked, by the painter's own CLIP
    number: int  # with the seed, what its noise follows from
    share: float | None = None  # of the way between two vectors, where it lies on one


class Painter:
    """Generates pictures. `Painter.load` reads one from a folder.

    Example:
        painter = lexel.Painter.load("painter/")
        painter.generate("two red stars on grass", count=8, seed=1)[0].image.save("stars.png")
    """

    def __init__(self, space: Space, prior: Prior | None, decoder: VectorDecoder) -> None:
        self.space, self.prior, self.decoder = space, prior, decoder

    @classmethod
    def load(cls, folder: str | Path, encoder: "Encoder | None" = None, device: str | None = None) -> "Painter":
        """Read a painter, or a folder of `diffusers`' unCLIP kind.

        A painter's CLIP is loaded from where it was, unless `encoder` is given. Raises UsageError where that is
        another model than the painter's, ModelError for damaged files.
        """
        from lexel.generation.pictures.folder import read_painter
        from lexel.generation.pictures.published import is_published, read_published

        folder = Path(folder).expanduser()
        if is_published(folder):
            if encoder is not None:
                raise UsageError(f"{folder} brings its own CLIP; leave out the other model.")
            return cls(*read_published(folder, device))
        return cls(*read_painter(folder, encoder, device))

    @property
    def size(self) -> int:
        """Pixels along a side of its pictures."""
        return self.decoder.size

    def generate(
        self,
        text: str,
        count: int = 8,
        *,
        seed: int = 0,
        keep: int | None = None,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> list[Drawn]:
        """`count` pictures of a text, best first by the cosine with it; of these the `keep` best.

        More `guidance` follows the vector more strictly, with less variety. The same seed gives the same pictures.
        """
        _check_count(count, keep)
        asked = np.repeat(self._text_vectors([text]), count, axis=0)
        vectors = self._imagine(asked, seed, list(range(count)))
        return self._best(vectors, asked, seed, steps, guidance)[:keep]

    def draw(
        self, texts: Sequence[str], *, seed: int = 0, steps: int | None = None, guidance: float | None = None
    ) -> np.ndarray:
        """One picture a text, uint8 (N, 3, S, S), in their order."""
        numbers = list(range(len(texts)))
        vectors = self._imagine(self._text_vectors(texts), seed, numbers)
        return self.decoder.decode(vectors, seed=seed, numbers=numbers, steps=steps, guidance=guidance)

    def vary(
        self,
        image: ImageLike,
        count: int = 8,
        *,
        seed: int = 0,
        keep: int | None = None,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> list[Drawn]:
        """`count` variations of a picture: its vector decoded again; best first by the cosine with it."""
        _check_count(count, keep)
        own = np.repeat(self.space.embed_images([image]), count, axis=0)
        return self._best(own, own, seed, steps, guidance)[:keep]

    def between(
        self,
        start: "ImageLike | str",
        end: "ImageLike | str",
        count: int = 8,
        *,
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> list[Drawn]:
        """`count` pictures on the way from one picture or text to another, in order, all from the same noise.

        A str is a text; give a picture's file as a Path.
        """
        _check_count(count)
        ends = [self._vector_of(place, seed) for place in (start, end)]
        way = shares(count)
        vectors = np.stack([slerp(ends[0], ends[1], share) for share in way])
        pictures = self.decoder.decode(vectors, seed=seed, numbers=[0] * count, steps=steps, guidance=guidance)
        return self._judged(pictures, vectors, [0] * count, way)

    def change(
        self,
        image: ImageLike,
        before: str,
        after: str,
        count: int = 1,
        *,
        strength: float = STRENGTH,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> list[Drawn]:
        """The picture changed as from one text to another; several in `count` equal steps up to `strength` in 0..1.

        Its vector is turned towards the difference of both texts' vectors (Ramesh et al. 2022), and decoded from the
        noise that the picture itself comes from, so that its arrangement stays.
        """
        _check_count(count)
        if not 0 < strength <= 1:
            raise UsageError(f"The strength of a change is above 0 and at most 1, not {strength:g}.")
        texts = unit(self._text_vectors([before, after]))
        if np.allclose(texts[0], texts[1], atol=1e-4):
            raise UsageError(f'"{before}" and "{after}" mean the same to {self.space.name}: nothing would change.')
        own = self.space.embed_images([image])[0]
        direction = unit((texts[1] - texts[0])[None])[0] * np.linalg.norm(own)
        way = [strength * share for share in (shares(count) if count > 1 else [1.0])]
        vectors = np.stack([own, *(slerp(own, direction, share) for share in way)])
        pictures = self.decoder.redraw(vectors, self._at_size(image), steps=steps, guidance=guidance)[1:]
        wanted = np.repeat(texts[1][None], count, axis=0)
        return self._judged(pictures, wanted, [0] * count, way)

    def decode(
        self, vectors: np.ndarray, *, seed: int = 0, steps: int | None = None, guidance: float | None = None
    ) -> np.ndarray:
        """One picture, uint8 (N, 3, S, S), for each picture vector (N, D)."""
        numbers = list(range(len(vectors)))
        return self.decoder.decode(vectors, seed=seed, numbers=numbers, steps=steps, guidance=guidance)

    def _text_vectors(self, texts: Sequence[str]) -> np.ndarray:
        for text in check_texts(texts):
            if not text.strip():
                raise UsageError("The text is empty: say what the picture is to show.")
        return self.space.embed_texts(texts)

    @torch.no_grad()
    def _imagine(self, texts: np.ndarray, seed: int, numbers: Sequence[int]) -> np.ndarray:
        """Picture vectors (N, D) for text vectors (N, D)."""
        if self.prior is None:
            raise UsageError(
                f"{self.space.name} has a decoder and no prior, so it draws no texts. Give it a picture: --like PICTURE"
            )
        device = next(self.prior.parameters()).device
        noise = noise_of(seed, "vector", numbers, (texts.shape[1],)).to(device)
        given = torch.from_numpy(texts).to(device)
        return self.prior.sample(given, noise, steps=PRIOR_STEPS, guidance=PRIOR_GUIDANCE).cpu().numpy()

    def _vector_of(self, place: "ImageLike | str", seed: int) -> np.ndarray:
        if isinstance(place, str):
            return self._imagine(self._text_vectors([place]), seed, [0])[0]
        return self.space.embed_images([place])[0]

    def _at_size(self, image: ImageLike) -> np.ndarray:
        """The picture as the decoder draws: uint8 (3, S, S), cut and shrunk as for the CLIP."""
        given = getattr(self.space, "preprocessing", Preprocessing())
        geometry = given.model_copy(update={"image_size": self.size})
        return fit(as_picture(image, geometry), geometry)

    def _best(
        self, vectors: np.ndarray, wanted: np.ndarray, seed: int, steps: int | None, guidance: float | None
    ) -> list[Drawn]:
        """A picture of each vector (N, D), those first that are nearest to what was wanted (N, D)."""
        numbers = list(range(len(vectors)))
        pictures = self.decoder.decode(vectors, seed=seed, numbers=numbers, steps=steps, guidance=guidance)
        return sorted(self._judged(pictures, wanted, numbers), key=lambda picture: (-picture.score, picture.number))

    def _judged(
        self, pictures: np.ndarray, wanted: np.ndarray, numbers: Sequence[int], way: Sequence[float] | None = None
    ) -> list[Drawn]:
        images = [Image.fromarray(picture.transpose(1, 2, 0)) for picture in pictures]
        found = self.space.embed_images(images)
        scores = (unit(found) * unit(wanted)).sum(axis=1)
        return [
            Drawn(image, float(score), number, None if way is None else way[place])
            for place, (image, score, number) in enumerate(zip(images, scores, numbers, strict=True))
        ]


def _check_count(count: int, keep: int | None = None) -> None:
    if not 1 <= count <= MOST_PICTURES:
        raise UsageError(f"{count:,} pictures cannot be drawn at once: 1 to {MOST_PICTURES:,} can.")
    if keep is not None and not 1 <= keep <= count:
        raise UsageError(f"{keep} of {count} pictures cannot be kept.")
