"""A captioner: pictures in, sentences out, each with what CLIP itself thinks of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch

from lexel.calibration import POSSIBLE, STRONG
from lexel.encoder import Encoder
from lexel.encoder_inputs import ImageLike
from lexel.errors import BadImageError, ModelError, UsageError
from lexel.generation.captions.decoder import CaptionDecoder
from lexel.generation.captions.folder import CaptionerParts, load_captioner
from lexel.generation.captions.search import SearchSettings, Sentence, Vocabulary, beam_search, sample
from lexel.loading import load
from lexel.progress import track
from lexel.runtimes.torch import choose_device
from lexel.tokenizer.tokenizer import END, PAD, SPECIAL, START
from lexel.unit_vectors import check_finite

PICTURES_AT_ONCE = 64
MIN_PICTURES_FOR_PROGRESS = 128
Least = Literal["strong", "possible", "any"]
LEAST_MATCH = {"strong": STRONG, "possible": POSSIBLE, "any": 0.0}


@dataclass(frozen=True, slots=True)
class CaptionCandidate:
    """A sentence for a picture."""

    text: str
    cosine: float  # of picture and sentence, in CLIP's space
    match: float | None  # the probability that they belong together; None for a model without calibration
    log_probability: float  # of the sentence under the decoder


@dataclass(frozen=True, slots=True)
class CaptionedPicture:
    """What was said of one picture. `candidates` are ordered by CLIP, best first."""

    candidates: list[CaptionCandidate]
    fits: bool  # whether the best of them fits well enough to be said

    @property
    def caption(self) -> str | None:
        """The best sentence; None where none fits."""
        return self.candidates[0].text if self.fits else None


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
        settings = settings or SearchSettings()
        starts = range(0, len(vectors), PICTURES_AT_ONCE)
        shown = track(starts, "Captioning", len(starts)) if len(vectors) >= MIN_PICTURES_FOR_PROGRESS else starts
        return [
            picture
            for start in shown
            for picture in self._describe(vectors[start : start + PICTURES_AT_ONCE], settings, least, start)
        ]

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
        texts = [[self._text(sentence) for sentence in sentences] for sentences in found]
        distinct = sorted({text for said in texts for text in said})
        embedded = dict(zip(distinct, self.encoder.embed_texts(distinct), strict=True))
        return [
            self._captioned(vector, sentences, said, embedded, least)
            for vector, sentences, said in zip(vectors, found, texts, strict=True)
        ]

    def _captioned(
        self,
        vector: np.ndarray,
        sentences: Sequence[Sentence],
        texts: Sequence[str],
        embedded: dict[str, np.ndarray],
        least: Least,
    ) -> CaptionedPicture:
        calibration = self.encoder.calibration
        candidates = []
        for sentence, text in zip(sentences, texts, strict=True):
            cosine = float(vector @ embedded[text])
            match = None if calibration is None else float(calibration.probability(np.array(cosine)))
            candidates.append(CaptionCandidate(text, cosine, match, sentence.log_probability))
        candidates.sort(key=lambda one: -one.cosine)
        match = candidates[0].match
        return CaptionedPicture(candidates, fits=match is None or match >= LEAST_MATCH[least])

    def _text(self, sentence: Sentence) -> str:
        return self.tokenizer.backend.decode(sentence.ids).strip()
