"""A classifier that learns from the labelled pictures of a source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lexel.data.pairs import Source
from lexel.errors import UsageError, did_you_mean
from lexel.evaluation.classifier import ZeroShotClassifier
from lexel.evaluation.embedded_source import embed_source
from lexel.evaluation.evaluation_cache import EvaluationCache
from lexel.evaluation.report.caveats import about_reading
from lexel.evaluation.texts.prompts import PromptsLike
from lexel.terminal import counted
from lexel.unit_vectors import check_finite

if TYPE_CHECKING:
    from lexel.encoder import Encoder


def fit_on_source(
    encoder: Encoder,
    source: Source,
    labels: Sequence[str] | None = None,
    templates: PromptsLike = "photo",
    cache: EvaluationCache | None = None,
) -> tuple[ZeroShotClassifier, list[str]]:
    """A classifier of `labels`, by default those of the source, that has learned from its pictures; and remarks.

    Pictures without a label, or that cannot be read, are left out. Raises UsageError as `check_examples`, DataError
    where no picture can be read.
    """
    check_examples(source, labels)
    labelled = [pair for pair in source.pairs if pair.label is not None]
    classifier = ZeroShotClassifier(encoder, source.labels if labels is None else labels, templates)
    embedded = embed_source(encoder, Source(source.name, labelled), cache)
    check_finite(embedded.vectors, [pair.key for pair in embedded.pairs], encoder.name)
    classifier.fit_vectors(embedded.vectors, [str(pair.label) for pair in embedded.pairs])
    remarks = about_reading(embedded)
    if len(labelled) < len(source.pairs):
        remarks.append(f"Left out: {counted(len(source.pairs) - len(labelled), 'picture')} without a label.")
    return classifier, remarks


def check_examples(source: Source, labels: Sequence[str] | None) -> None:
    """Raise UsageError where no picture has a label, or one has a label that is not among `labels`."""
    if not source.labels:
        raise UsageError(
            f"{source.name} has no labels to learn from: give a folder with a folder for each class, or a table with "
            "a label column."
        )
    unknown = [label for label in source.labels if labels is not None and label not in labels]
    if labels is not None and unknown:
        raise UsageError(
            f'{source.name} has pictures of "{unknown[0]}", which is not among the labels.'
            f"{did_you_mean(unknown[0], labels)}"
        )
