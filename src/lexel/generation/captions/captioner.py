"""A captioner: pictures in, sentences out, each with what CLIP itself thinks of it."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch

from lexel.encoder import Encoder
from lexel.encoder_inputs import ImageLike
from lexel.errors import BadImageError, ModelError, UsageError
from lexel.generation.captions.candidates import CaptionedPicture, Least, captioned
from lexel.generation.captions.decoder import CaptionDecoder
from lexel.generation.captions.folder import CaptionerParts, load_captioner
from lexel.generation.captions.search import SearchSettings, Vocabulary, beam_search, sample
from lexel.loading import load
from lexel.progress import track
from lexel.runtimes.torch import choose_device
from lexel.tokenizer.tokenizer import END, PAD, SPECIAL, START
from lexel.unit_vectors import check_finite

PICTURES_AT_ONCE = 64
MIN_PICTURES_FOR_PROGRESS = 128


class Captioner:
    """Captions pictures with a decoder that was trained for `encoder`. Get one from `Captioner.load(FOLDER)`.

    Example:
        captioner = lexel.Captioner.load("captioner/")
        captioner.caption(["a.jpg", "b.jpg"])            # ["two dogs on a beach", None]
    """

    def __init__(self, parts: CaptionerParts, encoder: Encoder, device: str | None = None) -> None:
        """Raises UsageError where the captioner was trained for another model."""
        facts = parts.facts
        if facts.fingerprint != encoder.fingerprint:
            raise UsageError(
                f"The captioner was trained for {facts.model_name} ({facts.fingerprint}), and {encoder.name} is "
                f"another model ({encoder.fingerprint}).\nGive that model with --model, or train a captioner for this "
                "one: lexel caption train"
            )
        self.facts, self.encoder, self.memory, self.tokenizer = facts, encoder, parts.memory, parts.tokenizer
        self.device = torch.device(choose_device(device))
        decoder = CaptionDecoder(facts.decoder)
        try:
            decoder.load_state_dict({name: torch.from_numpy(value) for name, value in parts.weights.items()})
        except RuntimeError as error:
            raise ModelError(f"The captioner's weights do not fit its description: {str(error)[:160]}") from None
        self.decoder = decoder.to(self.device).eval()
        self.vocabulary = Vocabulary(
            SPECIAL.index(START),
            SPECIAL.index(END),
            longest=facts.decoder.context_length - 1,
            never=(SPECIAL.index(PAD), SPECIAL.index(START)),
        )

    @classmethod
    def load(cls, folder: str | Path, model: str | Path | Encoder | None = None, device: str | None = None) -> Self:
        """Make a captioner ready. `model` is its CLIP, where that lies elsewhere than when it was trained.

        Raises UsageError for a folder without a captioner or another CLIP, ModelError for damaged files.
        """
        parts = load_captioner(Path(folder).expanduser())
        if model is not None and not isinstance(model, str | Path):
            return cls(parts, model, device)
        named = model if model is not None else parts.facts.model
        if named is None:
            raise UsageError(f"{folder} does not say where its model {parts.facts.model_name} lies. Give it: --model")
        try:
            encoder = load(named, device=device)
        except UsageError as error:
            if model is not None:
                raise
            raise UsageError(f"{error}\nIf the captioner's model has moved, give it: --model MODEL") from None
        return cls(parts, encoder, device)

    def caption(
        self, images: Iterable[ImageLike], settings: SearchSettings | None = None, least: Least = "possible"
    ) -> list[str | None]:
        """A sentence for each image, or None where none fits; see `candidates`. Raises BadImageError."""
        vectors = self.encoder.embed_images(images)
        return [found.caption for found in self.describe(vectors, settings, least)]

    def candidates(
        self, images: Sequence[ImageLike], settings: SearchSettings | None = None, least: Least = "possible"
    ) -> list[CaptionedPicture | BadImageError]:
        """For each image the sentences that were found, ordered by CLIP; the reason where it cannot be read."""
        vectors, kept, bad = self.encoder.embed_readable(images)
        check_finite(vectors, [f"image {row + 1}" for row in kept.tolist()], self.encoder.name)
        found: dict[int, CaptionedPicture | BadImageError] = {row: BadImageError(reason) for row, reason in bad}
        found |= dict(zip(kept.tolist(), self.describe(vectors, settings, least), strict=True))
        return [found[row] for row in range(len(found))]

    def describe(
        self, vectors: np.ndarray, settings: SearchSettings | None = None, least: Least = "possible"
    ) -> list[CaptionedPicture]:
        """What is said of pictures with these unit vectors (N, D).

        Where CLIP has a calibration, nothing is said of a picture whose best sentence matches with less than `least`.
        """
        chosen = settings or SearchSettings()
        starts = range(0, len(vectors), PICTURES_AT_ONCE)
        said = (
            picture
            for start in starts
            for picture in self._describe(vectors[start : start + PICTURES_AT_ONCE], chosen, least, start)
        )
        many = len(vectors) >= MIN_PICTURES_FOR_PROGRESS
        return list(track(said, "Captioning", len(vectors)) if many else said)

    def input_vectors(self, vectors: np.ndarray) -> np.ndarray:
        """What the decoder is given for pictures with these vectors: themselves, or where the memory puts them."""
        return vectors if self.facts.learned_pictures else self.memory.project(vectors)

    def _describe(
        self, vectors: np.ndarray, settings: SearchSettings, least: Least, first: int
    ) -> list[CaptionedPicture]:
        inputs = torch.from_numpy(np.ascontiguousarray(self.input_vectors(vectors))).to(self.device)
        found = (
            sample(self.decoder, inputs, self.vocabulary, settings, range(first, first + len(vectors)))
            if settings.samples
            else beam_search(self.decoder, inputs, self.vocabulary, settings.beams, settings.length_penalty)
        )
        return captioned(self.encoder, self.tokenizer, vectors, found, least)
