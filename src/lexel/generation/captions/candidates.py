"""What is said of a picture: sentences in CLIP's order, each with what CLIP thinks of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lexel.calibration import POSSIBLE, STRONG
from lexel.encoder import Encoder
from lexel.generation.captions.search import Sentence
from lexel.tokenizer import Tokenizer

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


def captioned(
    encoder: Encoder, tokenizer: Tokenizer, vectors: np.ndarray, found: Sequence[Sequence[Sentence]], least: Least
) -> list[CaptionedPicture]:
    """The sentences found for pictures with these unit vectors (N, D), ordered by their cosines with these."""
    texts = [[tokenizer.backend.decode(sentence.ids).strip() for sentence in sentences] for sentences in found]
    distinct = sorted({text for said in texts for text in said})
    embedded = dict(zip(distinct, encoder.embed_texts(distinct), strict=True))
    pictures = []
    for vector, sentences, said in zip(vectors, found, texts, strict=True):
        candidates = []
        for sentence, text in zip(sentences, said, strict=True):
            cosine = float(vector @ embedded[text])
            match = None if encoder.calibration is None else float(encoder.calibration.probability(np.array(cosine)))
            candidates.append(CaptionCandidate(text, cosine, match, sentence.log_probability))
        candidates.sort(key=lambda one: -one.cosine)
        match = candidates[0].match
        pictures.append(CaptionedPicture(candidates, fits=match is None or match >= LEAST_MATCH[least]))
    return pictures
