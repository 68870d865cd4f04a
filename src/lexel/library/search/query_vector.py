"""What is asked, as one vector: words, pictures, or both, more like this and less like that.

A text alone is its own unit vector. Texts and pictures lie in two cones of the shared space (Liang et al. 2022), so a
sum of both would say little but which is which: each is first taken relative to the mean of its kind.

A bare word is unlike what models read in training, which is sentences. As in zero-shot classification it is put into
several and their mean taken: that finds two to nine times as many of the photos meant (docs/experiments.md).
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lexel.data.captions import fill
from lexel.encoder import Encoder, ImageLike
from lexel.errors import UsageError
from lexel.evaluation.matching import generic_texts
from lexel.evaluation.texts.long_texts import about_cut_texts
from lexel.evaluation.texts.templates import templates
from lexel.library.search.searchable import Searchable
from lexel.library.search.strength import sample_of
from lexel.library.store.database.paths import absolute
from lexel.progress import say
from lexel.unit_vectors import unit

LATIN_LETTER = "A-Za-zÀ-ɏ"  # Latin: elsewhere a sentence may have no spaces
WORD_PATTERN = rf"[{LATIN_LETTER}]+(?:['’-][{LATIN_LETTER}]+)*"
LABEL_PATTERN = re.compile(rf"(?:(?:an?|the) )?({WORD_PATTERN}(?: {WORD_PATTERN})?)", re.IGNORECASE)
SENTENCE_END = re.compile(r"(?<=[.!?;:。])\s+|\s*\n\s*")


@dataclass(frozen=True)
class QueryPart:
    """One thing that is asked."""

    name: str  # for people
    vector: np.ndarray  # (D,) unit
    weight: float  # negative: less like this
    is_text: bool
    id: int | None = None  # of the library's own photo


def text_parts(encoder: Encoder, texts: Sequence[tuple[str, float]], literal: bool = False) -> list[QueryPart]:
    """A part for each text. A poem or paragraph is embedded sentence by sentence, and the mean is what it is about.

    A word or two are embedded in sentences about a photo, but for `literal` ones. Says which sentences are longer than
    the model reads.
    """
    pieces = [(not literal and _prompts(text)) or _sentences(encoder, text) for text, _ in texts]
    sentences = [piece for several in pieces for piece in several]
    if note := about_cut_texts(encoder, sentences, "sentences to search for"):
        say(f"Note: {note}")
    vectors = iter(encoder.embed_texts(sentences))
    parts = []
    for (text, weight), several in zip(texts, pieces, strict=True):
        mean = np.mean([next(vectors) for _ in several], axis=0)
        parts.append(QueryPart(_short(text), unit(mean), weight, is_text=True))
    return parts


def picture_parts(library: Searchable[Any], pictures: Sequence[tuple[ImageLike | int, float]]) -> list[QueryPart]:
    """A part for each picture: a photo of the library by its number or path, or any other picture."""
    parts = []
    for picture, weight in pictures:
        id, vector = _own(library, picture)
        if vector is None:
            assert not isinstance(picture, int)
            vector = library.encoder.embed_images([picture])[0]
        parts.append(QueryPart(_name(picture), vector, weight, is_text=False, id=id))
    return parts


def compose(library: Searchable[Any], parts: Sequence[QueryPart]) -> np.ndarray:
    """The unit vector (D,) to search for."""
    kinds = {part.is_text for part in parts}
    if len(kinds) == 1 and all(part.weight > 0 for part in parts):
        return unit(np.sum([part.weight * part.vector for part in parts], axis=0))
    middle = {}
    if True in kinds:
        middle[True] = generic_texts(library.encoder).mean(axis=0)
    if False in kinds:
        sample = sample_of(library.vectors, library.vectors.ids)
        middle[False] = sample.mean(axis=0) if len(sample) else 0.0
    return unit(np.sum([part.weight * unit(part.vector - middle[part.is_text]) for part in parts], axis=0))


def _prompts(text: str) -> list[str]:
    """Sentences about a word or two; none about anything longer."""
    label = LABEL_PATTERN.fullmatch(" ".join(text.split()))
    return [fill(template, label[1]) for template in templates("photo")] if label else []


def _sentences(encoder: Encoder, text: str) -> list[str]:
    pieces = [piece for piece in SENTENCE_END.split(text.strip()) if piece]
    is_long = "\n" in text.strip() or len(pieces) > 2 or encoder.count_truncated([text]) > 0
    return pieces if is_long and pieces else [text]


def _own(library: Searchable[Any], picture: ImageLike | int) -> tuple[int | None, np.ndarray | None]:
    """The number and the vector (D,) of the library's photo that is meant, if it is one that is searched."""
    if isinstance(picture, int):
        photo = library.records.photo(picture)
        try:
            return picture, library.vectors.vectors_of(np.array([picture]))[0]
        except KeyError:
            raise UsageError(f"Photo {picture}, {photo.shown}, has vanished from the disk.") from None
    if isinstance(picture, str | Path) and Path(picture).expanduser().is_file():
        found = library.records.ids_of(absolute(picture))
        if len(found) == 1:
            with suppress(KeyError):  # vanished, and back since
                return found[0], library.vectors.vectors_of(np.array(found))[0]
    return None, None


def _name(picture: ImageLike | int) -> str:
    if isinstance(picture, int):
        return f"photo {picture}"
    return Path(picture).name if isinstance(picture, str | Path) else "a picture"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 40 else f"{line[:39]}…"
