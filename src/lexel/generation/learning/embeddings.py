"""Vectors to learn from: the pictures and texts of a source, embedded once and kept for the next call.

They lie in the cache that evaluation uses, so a captioner, a painter and an evaluation embed the same source once.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lexel.data.captions import fill
from lexel.data.pairs import Pair, Source
from lexel.encoder import Encoder
from lexel.errors import DataError
from lexel.evaluation.embedded_source import embed_source
from lexel.evaluation.evaluation_cache import EvaluationCache
from lexel.progress import say


@dataclass(frozen=True)
class EmbeddedPairs:
    """The pairs of a source whose picture can be read and that have a text."""

    pairs: list[Pair]
    pictures: np.ndarray  # (N, D) unit vectors, one for each pair
    texts: list[str]  # the distinct ones, sorted
    text_vectors: np.ndarray  # (M, D) unit vectors
    texts_of: list[list[int]]  # rows of `texts`, for each pair; one at least

    def fingerprint(self) -> str:
        """16 hex digits of what is learned from: texts, vectors, and which belong together."""
        digest = hashlib.sha256(repr(self.texts_of).encode())
        for text in self.texts:
            digest.update(f"{text}\0".encode(errors="surrogatepass"))
        for vectors in (self.pictures, self.text_vectors):
            digest.update(np.ascontiguousarray(vectors).data)
        return digest.hexdigest()[:16]


def embed_pairs(
    encoder: Encoder, source: Source, cache: EvaluationCache | None, templates: Sequence[str] = ()
) -> EmbeddedPairs:
    """Embed pictures and texts, from the cache where they are there already.

    The texts of a pair are its captions or, where it has none, its label in each of the `templates`. Raises DataError
    where no pair has a text or no picture can be read; pictures that cannot be read are counted and left out.
    """
    chosen = [pair for pair in source.pairs if texts_of_pair(pair, templates)]
    if not chosen:
        raise DataError(
            f"{source.name} has no captions: none of its {len(source.pairs):,} images says what it shows.\n"
            "Name the column that has them, or give another source."
        )
    embedded = embed_source(encoder, replace(source, pairs=chosen), cache)
    if embedded.unreadable:
        key, reason = embedded.unreadable[0]
        say(f"{len(embedded.unreadable):,} of {len(chosen):,} images cannot be read; the first is {key}: {reason}")
    texts_of = [texts_of_pair(pair, templates) for pair in embedded.pairs]
    distinct, vectors = embed_distinct(encoder, [text for texts in texts_of for text in texts], cache)
    row_of = {text: row for row, text in enumerate(distinct)}
    rows = [[row_of[text] for text in texts] for texts in texts_of]
    return EmbeddedPairs(embedded.pairs, embedded.vectors, distinct, vectors, rows)


def embed_distinct(
    encoder: Encoder, texts: Sequence[str], cache: EvaluationCache | None
) -> tuple[list[str], np.ndarray]:
    """The distinct texts in alphabetical order, and their unit vectors (M, D)."""
    distinct = sorted(set(texts))
    say(f"Embedding {len(distinct):,} texts")
    return distinct, encoder.embed_texts(distinct) if cache is None else cache.embed_texts(encoder, distinct)


def texts_of_pair(pair: Pair, templates: Sequence[str] = ()) -> list[str]:
    """A pair's captions without repetition or, where it has none, its label in each of the templates."""
    if captions := list(dict.fromkeys(caption.strip() for caption in pair.captions if caption.strip())):
        return captions
    return [] if pair.label is None else [fill(template, pair.label) for template in templates]
