"""Measuring a model on one or more sources, with whatever tasks their pairs allow."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from lexel.data.pairs import Source
from lexel.errors import UsageError
from lexel.evaluation.embedded_source import EmbeddedSource, embed_source
from lexel.evaluation.report.caveats import about_reading
from lexel.evaluation.report.overlap import about_overlap
from lexel.evaluation.report.report import Report, SourceReport
from lexel.evaluation.tasks.base import Task, TaskInput, TaskRequest
from lexel.evaluation.tasks.registry import chosen_tasks
from lexel.evaluation.texts.prompts import templates as read_templates

if TYPE_CHECKING:
    from lexel.encoder import Encoder
    from lexel.evaluation.evaluation_cache import EvaluationCache

SourceLike = Source | EmbeddedSource | str


def evaluate(
    encoder: Encoder,
    source: SourceLike | Sequence[SourceLike],
    *,
    tasks: Sequence[str | Task] | None = None,
    templates: str | Sequence[str] = "photo",
    labels: Sequence[str] | None = None,
    training: Source | str | None = None,
    cache: EvaluationCache | None = None,
) -> Report:
    """Measure the model on the source or sources, by default zero-shot and retrieval, where the source allows them.

    A source that is embedded already is not embedded again. `tasks` are names or `Task` objects; `labels` are the names
    to choose from, by default those that occur in the source. `training` is what tasks learn from (a linear probe), by
    default the training split of the data set that the source is a split of. With a `cache`,
    what the same model has embedded before is not embedded again.

    Example:
        report = lexel.evaluate(lexel.load("demo/run/model"), "scenes:1000/test", templates="scene")
        report.metrics()["zero_shot/top1"]
        report.save("reports/demo")                             # report.json and report.html
    """
    wanted = chosen_tasks(tasks)
    prompts = read_templates(templates)
    one = isinstance(source, str | Source | EmbeddedSource)
    sources = [item if isinstance(item, EmbeddedSource) else _read(item) for item in ([source] if one else source)]
    if not sources:
        raise UsageError("No source was given to evaluate on.")
    twice = [name for name, count in Counter(_source_of(item).name for item in sources).items() if count > 1]
    if twice:
        raise UsageError(f"{twice[0]} is given twice: its numbers could not be told apart in the report.")
    given_labels = tuple(labels) if labels is not None else None
    given_training = _read(training, prefer=("train",)) if training is not None else None
    requests = [TaskRequest(_source_of(item), given_labels, given_training) for item in sources]
    plans = [_plan(request, wanted) for request in requests]
    measured = [
        _measure(encoder, item, request, plan, prompts, cache)
        for item, request, plan in zip(sources, requests, plans, strict=True)
    ]
    return Report(
        model=encoder.name,
        fingerprint=encoder.fingerprint,
        created=datetime.now(UTC).replace(microsecond=0),
        lexel_version=version("lexel"),
        sources=measured,
    )


def _read(source: Source | str, prefer: Sequence[str] = ("test", "val")) -> Source:
    if isinstance(source, Source):
        return source
    from lexel.data.readers import read_source

    return read_source(source, prefer=prefer)


def _source_of(item: Source | EmbeddedSource) -> Source:
    return item.source if isinstance(item, EmbeddedSource) else item


def _plan(request: TaskRequest, wanted: Sequence[Task]) -> list[Task]:
    """The tasks among those wanted that the source has what it takes for."""
    plan = [task for task in wanted if task.fits(request)]
    if not plan:
        source = request.source
        captioned = [pair for pair in source.pairs if pair.captions]
        captions = {caption for pair in captioned for caption in pair.captions}
        needs = "; ".join(f"{task.name} needs {task.needs}" for task in wanted)
        raise UsageError(
            f"{source.name} has {len(source.labels)} distinct labels, and {len(captions)} distinct captions of "
            f"{len(captioned)} images: not enough for {' or '.join(task.name for task in wanted)}.\n"
            f"  {needs[0].upper()}{needs[1:]}."
        )
    return plan


def _measure(
    encoder: Encoder,
    item: Source | EmbeddedSource,
    request: TaskRequest,
    plan: Sequence[Task],
    prompts: tuple[str, ...],
    cache: EvaluationCache | None,
) -> SourceReport:
    embedded = embed_source(encoder, item, cache)
    source = embedded.source
    warnings = about_overlap(encoder, [pair.picture for pair in embedded.pairs]) + about_reading(embedded)
    given = TaskInput(encoder, embedded, prompts, request)
    sections = [task.measure(given) for task in plan]
    report = SourceReport(
        name=source.name,
        split=source.split,
        fingerprint=source_fingerprint(source),
        images=len(embedded.pairs),
        unreadable=len(embedded.unreadable),
        notes=list(source.notes),
        warnings=warnings,
        sections=sections,
    )
    shown = {key for section in sections for key in section.picture_keys()}
    own = {key: picture for section in sections for key, picture in section.pictures.items()}
    pictures = own | {pair.key: pair.picture for pair in embedded.pairs}
    pictures = {key: picture for key, picture in pictures.items() if key in shown}
    return report.with_images(pictures, [pair.key for pair in embedded.pairs])


def source_fingerprint(source: Source) -> str:
    """A short hash of the keys, captions and labels: equal for equal test sets, whatever they are called."""
    digest = hashlib.sha256()
    for pair in source.pairs:
        digest.update(json.dumps([pair.key, pair.captions, pair.label], ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()[:12]
