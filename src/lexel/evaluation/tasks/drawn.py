"""Tasks with pictures of their own, measured once and reported together as if they were one more source."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lexel.data.pairs import Picture
from lexel.evaluation.embedded_source import embed_source
from lexel.evaluation.evaluation_cache import EvaluationCache
from lexel.evaluation.report.report import SourceReport
from lexel.evaluation.tasks.base import DrawnTask, TaskInput, TaskRequest
from lexel.evaluation.texts.prompts import Prompts

if TYPE_CHECKING:
    from lexel.encoder import Encoder

NAME = "drawn probes"
VERSION = 1  # of what is drawn; it rises where pictures or captions change
NOTE = "Lexel draws these pictures, or has them on board; they are the same for every model."


def measure_drawn(
    encoder: Encoder, tasks: Sequence[DrawnTask], prompts: Prompts, cache: EvaluationCache | None
) -> SourceReport:
    """The sections of the tasks, each on its own pictures. Reports of different tasks can still be compared."""
    sections, pictures, images = [], {}, 0
    for task in tasks:
        embedded = embed_source(encoder, task.draw(), cache)
        section = task.measure(TaskInput(encoder, embedded, prompts, TaskRequest(embedded.source)))
        sections.append(section)
        shown = section.picture_keys()
        pictures |= _shown(section.pictures, shown)
        images += len(embedded.pairs)
    report = SourceReport(
        name=NAME,
        split=None,
        fingerprint=hashlib.sha256(f"{NAME} {VERSION}".encode()).hexdigest()[:12],
        images=images,
        unreadable=0,
        notes=[NOTE],
        warnings=[],
        sections=sections,
        drawn=True,
    )
    return report.with_images(pictures, [])  # groups of outcomes are numbered within each section


def _shown(pictures: Mapping[str, Picture], keys: set[str]) -> dict[str, Picture]:
    return {key: picture for key, picture in pictures.items() if key in keys}
