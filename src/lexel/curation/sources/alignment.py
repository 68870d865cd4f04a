"""How well each text of a source fits its picture: the cosine of their embeddings, and the match probability.

A pair with captions is judged by each of them; one with a label alone by the label in prompt templates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lexel.data.pairs import Pair
from lexel.encoder import Encoder
from lexel.evaluation.classifier import label_embeddings
from lexel.evaluation.evaluation_cache import EvaluationCache
from lexel.evaluation.matching import generic_of
from lexel.unit_vectors import check_finite

TEXTS_AT_ONCE = 4096  # distinct texts whose embeddings are held at a time
SAMPLE = 2000  # pictures by which a model without calibration is judged


@dataclass(frozen=True, slots=True)
class Alignment:
    """Texts and the pictures that they are said of, one row each, in the order of the pairs and their captions."""

    pair: np.ndarray  # (T,) which of the pairs
    texts: list[str]  # the caption, or the label where the pair has no caption
    cosine: np.ndarray  # (T,)
    match: np.ndarray  # (T,) probability that picture and text belong together, 0..1
    rank_score: np.ndarray  # (T,) higher where the text fits better; does not saturate as the match does


def embed_pictures(
    encoder: Encoder, pairs: Sequence[Pair], cache: EvaluationCache | None, what: str
) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (K, D) of the pictures that can be read, and (K,) which of the pairs they are of.

    Raises ModelError where the model gives vectors that are no directions.
    """
    pictures = [pair.picture for pair in pairs]
    if cache is None:
        vectors, kept, _ = encoder.embed_readable(pictures, what=what)
    else:
        vectors, kept, _ = cache.embed_readable(encoder, pictures, what)
    check_finite(vectors, [pairs[index].key for index in kept.tolist()], encoder.name)
    return vectors, kept


def align(encoder: Encoder, pairs: Sequence[Pair], vectors: np.ndarray, kept: np.ndarray) -> Alignment:
    """Judge every text of the pairs `kept` (K,), whose pictures have the vectors (K, D)."""
    rows: list[int] = []  # of vectors
    texts: list[str] = []
    is_label: list[bool] = []
    for row, index in enumerate(kept.tolist()):
        pair = pairs[index]
        said = pair.captions or ((pair.label,) if pair.label is not None else ())
        rows += [row] * len(said)
        texts += said
        is_label += [not pair.captions] * len(said)
    row_of = np.array(rows, np.int64)
    cosine = _cosines(encoder, vectors, row_of, texts, np.array(is_label, bool))
    match, rank_score = _judged(encoder, vectors, row_of, cosine)
    return Alignment(kept[row_of], texts, cosine, match, rank_score)


def _cosines(
    encoder: Encoder, vectors: np.ndarray, row_of: np.ndarray, texts: Sequence[str], is_label: np.ndarray
) -> np.ndarray:
    cosine = np.zeros(len(texts), np.float32)
    for of_labels in (False, True):
        places: dict[str, list[int]] = {}
        for place in np.flatnonzero(is_label == of_labels).tolist():
            places.setdefault(texts[place], []).append(place)
        distinct = list(places)
        for start in range(0, len(distinct), TEXTS_AT_ONCE):
            part = distinct[start : start + TEXTS_AT_ONCE]
            embedded = label_embeddings(encoder, part) if of_labels else encoder.embed_texts(part)
            for text, vector in zip(part, embedded, strict=True):
                cosine[places[text]] = vectors[row_of[places[text]]] @ vector
    return cosine


def _judged(
    encoder: Encoder, vectors: np.ndarray, row_of: np.ndarray, cosine: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if encoder.calibration is not None:
        return encoder.calibration.probability(cosine), cosine.astype(np.float64)
    sample = np.random.default_rng(0).permutation(len(vectors))[:SAMPLE]
    generic = generic_of(encoder, vectors[np.sort(sample)])
    if generic is None:
        return np.zeros(0), np.zeros(0)
    match, above = np.zeros(len(cosine)), np.zeros(len(cosine))
    for start in range(0, len(cosine), TEXTS_AT_ONCE):
        part = slice(start, start + TEXTS_AT_ONCE)
        pictures = vectors[row_of[part]]
        match[part] = generic.probability(pictures, cosine[part])
        above[part] = generic.deviations(pictures, cosine[part])
    return match, above
