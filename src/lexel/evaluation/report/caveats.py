"""Sentences on what a reader of the report should know before believing its numbers; those that tasks share."""

from collections.abc import Iterable
from itertools import islice

import numpy as np

from lexel.evaluation.embedded_source import EmbeddedSource
from lexel.evaluation.metrics.metric import Metric
from lexel.terminal import counted

WIDE_INTERVAL = 0.10  # an interval of ten percentage points hides most differences between models
NAMED_EXAMPLES = 3  # in a sentence
SAME_EMBEDDING = 1e-6  # difference in any dimension, below which it is rounding


def about_reading(embedded: EmbeddedSource) -> list[str]:
    """Images that could not be read, that have nothing to be tested with, or that the model cannot tell apart."""
    silent = len(embedded.source.pairs) - len(embedded.pairs) - len(embedded.unreadable)
    said = [f"{counted(silent, 'image has', 'images have')} neither label nor caption: left out."] if silent > 0 else []
    if len(embedded.vectors) > 1 and np.ptp(embedded.vectors, axis=0).max() < SAME_EMBEDDING:
        said.append("The model gives all images the same embedding: whatever it scores here says nothing.")
    return said + _about_unreadable(embedded)


def _about_unreadable(embedded: EmbeddedSource) -> list[str]:
    if not embedded.unreadable:
        return []
    examples = "; ".join(f"{key}: {reason}" for key, reason in embedded.unreadable[:NAMED_EXAMPLES])
    total = len(embedded.unreadable) + len(embedded.pairs)
    return [f"Unreadable and left out: {len(embedded.unreadable):,} of {counted(total, 'image')} ({examples})."]


def about_cut_captions(cut: int, captions: int) -> list[str]:
    """Captions that the model sees only in part."""
    if not cut:
        return []
    return [f"Longer than the model reads, and cut off at its end: {cut:,} of {counted(captions, 'caption')}."]


def about_wide_interval(name: str, metric: Metric, sample: str) -> list[str]:
    """A share whose interval is so wide that small differences between models say nothing."""
    width = metric.high - metric.low
    if width <= WIDE_INTERVAL:
        return []
    return [
        f"{name} rests on {sample}: its interval is {100 * width:.0f} points wide. Smaller differences say nothing."
    ]


def some(words: Iterable[str]) -> str:
    """The first few of the words, with an ellipsis where there are more."""
    listed = list(islice(words, NAMED_EXAMPLES + 1))
    return ", ".join(listed[:NAMED_EXAMPLES]) + (", …" if len(listed) > NAMED_EXAMPLES else "")
