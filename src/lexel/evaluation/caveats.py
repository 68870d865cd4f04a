"""What a reader of the report should know before believing its numbers, as sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lexel.evaluation.embedded_source import EmbeddedSource
from lexel.evaluation.metrics import Metric
from lexel.evaluation.phrases import interval, percent
from lexel.evaluation.retrieval import RetrievalResult
from lexel.evaluation.zero_shot import ZeroShotResult

if TYPE_CHECKING:
    from lexel.encoder import Encoder

WIDE = 0.10  # an interval of ten percentage points hides most differences between models
NAMED = 3  # examples given in a sentence


def about_reading(embedded: EmbeddedSource) -> list[str]:
    """Images that could not be read."""
    if not embedded.unreadable:
        return []
    examples = "; ".join(f"{key}: {reason}" for key, reason in embedded.unreadable[:NAMED])
    total = len(embedded.unreadable) + len(embedded.pairs)
    return [f"{len(embedded.unreadable):,} of {total:,} images could not be read and were left out ({examples})."]


def about_captions(encoder: Encoder, result: RetrievalResult) -> list[str]:
    """Captions that the model sees only in part."""
    cut = encoder.count_truncated(result.captions)
    if not cut:
        return []
    return [f"{cut:,} of {len(result.captions):,} captions are longer than the model reads; their ends were cut off."]


def about_zero_shot(result: ZeroShotResult) -> list[str]:
    """Images left out, labels that do not occur, too few images, and results that may be luck."""
    said = []
    if result.unlabelled:
        said.append(f"{result.unlabelled:,} images have no label and were left out of naming.")
    if result.outside:
        count = sum(result.outside.values())
        said.append(f"{count:,} images carry labels that were not to choose from ({_some(result.outside)}); left out.")
    absent = [label for label in result.labels if label not in result.per_class]
    if absent:
        said.append(
            f"{len(absent):,} of the {len(result.labels):,} labels to choose from never occur in the images "
            f"({_some(absent)}): how well they are named is unknown."
        )
    top1 = result.metrics["top1"]
    said += _if_wide("Top-1 accuracy", top1, f"{len(result.pairs):,} labelled images")
    label, rate = result.majority
    if top1.low <= top1.chance:
        said.append(
            f"Naming is not distinguishable from guessing: right {percent(top1.value)} of the time ({interval(top1)}), "
            f"by guessing {percent(top1.chance)}."
        )
    elif top1.low <= rate:
        said.append(
            f'Always saying "{label}" would be right {percent(rate)} of the time: the model is not clearly better.'
        )
    return said


def about_retrieval(result: RetrievalResult) -> list[str]:
    """Too few pairs, and results that may be luck."""
    said = []
    for name, metrics, queries in (
        ("Image → text", result.image_to_text, f"{len(result.pairs):,} images"),
        ("Text → image", result.text_to_image, f"{len(result.captions):,} captions"),
    ):
        said += _if_wide(f"{name} recall@1", metrics["recall@1"], queries)
        telling = [m for key, m in metrics.items() if key.startswith("recall@") and m.chance < 1]
        if all(metric.low <= metric.chance for metric in telling):
            said.append(f"{name} retrieval is not distinguishable from a random ranking.")
    return said


def _if_wide(name: str, metric: Metric, sample: str) -> list[str]:
    width = metric.high - metric.low
    if width <= WIDE:
        return []
    return [
        f"{name} rests on {sample}: its interval is {100 * width:.0f} points wide. Smaller differences say nothing."
    ]


def _some(words: list[str] | dict[str, int]) -> str:
    listed = list(words)
    return ", ".join(listed[:NAMED]) + (", …" if len(listed) > NAMED else "")
