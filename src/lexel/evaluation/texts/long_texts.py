"""Texts that are longer than the model reads: their ends are cut off, and a warning says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lexel.encoder import Encoder

SHOWN_LENGTH = 50  # characters of a text in a message


def cut_texts(encoder: Encoder, texts: Sequence[str]) -> list[str]:
    """The texts that lose their end, each once, in order."""
    distinct = list(dict.fromkeys(texts))
    if not encoder.count_truncated(distinct):
        return []
    return [text for text in distinct if encoder.count_truncated([text])]


def about_cut_texts(encoder: Encoder, texts: Sequence[str], what: str) -> str | None:
    """A sentence on the texts ("captions", "labels") that lose their end; None where there are none."""
    cut = cut_texts(encoder, texts)
    if not cut:
        return None
    first = cut[0] if len(cut[0]) <= SHOWN_LENGTH else f"{cut[0][:SHOWN_LENGTH]}…"
    limit = encoder.tokenizer.context_length
    return (
        f"{len(cut):,} of the {len(set(texts)):,} {what} exceed the {limit} tokens that the model reads; "
        f'their ends are cut off: "{first}"{", …" if len(cut) > 1 else ""}'
    )
