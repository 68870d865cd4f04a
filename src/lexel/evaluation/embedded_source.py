"""A source whose images have been embedded once, for all tasks that are measured on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lexel.data.pairs import Pair, Source
from lexel.errors import DataError

if TYPE_CHECKING:
    from lexel.encoder import Encoder


@dataclass(frozen=True, slots=True)
class EmbeddedSource:
    """The readable pairs of a source with the embeddings of their images."""

    source: Source
    pairs: list[Pair]
    vectors: np.ndarray  # (N, D), one for each of pairs
    unreadable: list[tuple[str, str]]  # (key, reason)
    _texts: dict[tuple[str, ...], np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    def embed_texts(self, encoder: Encoder, texts: Sequence[str]) -> np.ndarray:
        """(N, D) unit vectors of the texts, computed once however many tasks ask for the same ones."""
        wanted = tuple(texts)
        if wanted not in self._texts:
            self._texts[wanted] = encoder.embed_texts(wanted)
        return self._texts[wanted]


def embed_source(encoder: Encoder, source: Source | EmbeddedSource) -> EmbeddedSource:
    """Embed the images that carry a label or captions; what cannot be decoded is left out, counted and named."""
    if isinstance(source, EmbeddedSource):
        return source
    pairs = [pair for pair in source.pairs if pair.label is not None or pair.captions]
    if not pairs:
        raise DataError(f"{source.name}: none of its {len(source.pairs)} images has a label or a caption to test with.")
    vectors, kept, bad = encoder.embed_readable([pair.picture for pair in pairs], what=f"Embedding {source.name}")
    if not len(kept):
        index, reason = bad[0]
        raise DataError(
            f"{source.name}: none of its {len(pairs)} images could be read.\n  {pairs[index].key}: {reason}"
        )
    unreadable = [(pairs[index].key, reason) for index, reason in bad]
    return EmbeddedSource(source, [pairs[index] for index in kept], vectors, unreadable)
