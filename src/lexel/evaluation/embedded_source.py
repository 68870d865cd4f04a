"""A source whose images have been embedded once, for all tasks that are measured on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from lexel.data.pairs import Pair, Source
from lexel.errors import DataError, ModelError, UsageError
from lexel.evaluation.published.probe_source import ProbeSource
from lexel.terminal import counted

if TYPE_CHECKING:
    from lexel.encoder import Encoder
    from lexel.evaluation.evaluation_cache import EvaluationCache


@dataclass(frozen=True, slots=True)
class EmbeddedSource:
    """The readable pairs of a source with the embeddings of their images."""

    source: Source
    pairs: list[Pair]
    vectors: np.ndarray  # (N, D), one for each of pairs
    unreadable: list[tuple[str, str]]  # (key, reason)
    cache: EvaluationCache | None = field(default=None, repr=False, compare=False)
    _texts: dict[tuple[str, ...], np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.pairs):
            raise UsageError(
                f"{self.source.name}: embeddings of shape {self.vectors.shape} do not belong to {len(self.pairs):,} "
                "pairs.\n  Give one row for each pair."
            )
        _check_finite(self.vectors)

    def embed_texts(self, encoder: Encoder, texts: Sequence[str]) -> np.ndarray:
        """(N, D) unit vectors of the texts, computed once however many tasks ask for the same ones."""
        wanted = tuple(texts)
        if wanted not in self._texts:
            embed = encoder.embed_texts if self.cache is None else partial(self.cache.embed_texts, encoder)
            vectors = embed(wanted)
            _check_finite(vectors)
            self._texts[wanted] = vectors
        return self._texts[wanted]


def _check_finite(vectors: np.ndarray) -> None:
    if not np.isfinite(vectors).all():
        raise ModelError(
            "The model's embeddings are not all finite numbers: it has diverged, or its weights are damaged."
        )


def embed_source(
    encoder: Encoder, source: Source | EmbeddedSource, cache: EvaluationCache | None = None
) -> EmbeddedSource:
    """Embed the images that carry a label or captions; what cannot be decoded is left out, counted and named.

    With a `cache`, what the same model has embedded before is taken from there.
    """
    if isinstance(source, EmbeddedSource):
        return source
    asked = isinstance(source, ProbeSource)  # of all its pictures, whether or not they have words of their own
    pairs = [pair for pair in source.pairs if asked or pair.label is not None or pair.captions]
    if not pairs:
        raise DataError(
            f"{source.name}: none of its {counted(len(source.pairs), 'image')} has a label or a caption to test with."
        )
    pictures, what = [pair.picture for pair in pairs], f"Embedding {source.name}"
    embed = encoder.embed_readable if cache is None else partial(cache.embed_readable, encoder)
    vectors, kept, bad = embed(pictures, what=what)
    if not len(kept):
        index, reason = bad[0]
        raise DataError(
            f"{source.name}: none of its {len(pairs)} images could be read.\n  {pairs[index].key}: {reason}"
        )
    unreadable = [(pairs[index].key, reason) for index, reason in bad]
    return EmbeddedSource(source, [pairs[index] for index in kept], vectors, unreadable, cache)
