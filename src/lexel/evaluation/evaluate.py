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
from lexel.errors import UsageError, did_you_mean
from lexel.evaluation import caveats
from lexel.evaluation.embedded_source import EmbeddedSource, embed_source
from lexel.evaluation.gallery import caption_grid, label_grid, retrieval_section, zero_shot_section
from lexel.evaluation.prompts import templates as read_templates
from lexel.evaluation.report import Report, SourceReport
from lexel.evaluation.retrieval import retrieval
from lexel.evaluation.zero_shot import zero_shot

if TYPE_CHECKING:
    from lexel.encoder import Encoder

TASKS = ("zero_shot", "retrieval")


def evaluate(
    encoder: Encoder,
    source: Source | str | Sequence[Source | str],
    *,
    tasks: Sequence[str] | None = None,
    templates: str | Sequence[str] = "photo",
    labels: Sequence[str] | None = None,
) -> Report:
    """Measure the model on the source or sources: zero-shot where there are labels, retrieval where there are captions.

    `labels` are the names to choose from, by default those that occur in the source.
    """
    wanted = _check_tasks(tasks)
    prompts = read_templates(templates)
    sources = [_read(item) for item in ([source] if isinstance(source, str | Source) else source)]
    if not sources:
        raise UsageError("No source was given to evaluate on.")
    twice = [name for name, count in Counter(item.name for item in sources).items() if count > 1]
    if twice:
        raise UsageError(f"{twice[0]} is given twice: its numbers could not be told apart in the report.")
    plans = [_plan(item, wanted, labels) for item in sources]
    measured = [_measure(encoder, item, plan, prompts, labels) for item, plan in zip(sources, plans, strict=True)]
    return Report(
        model=encoder.name,
        fingerprint=encoder.fingerprint,
        created=datetime.now(UTC).replace(microsecond=0),
        lexel_version=version("lexel"),
        templates=prompts if any("zero_shot" in plan for plan in plans) else (),
        sources=measured,
    )


def _check_tasks(tasks: Sequence[str] | None) -> tuple[str, ...]:
    if tasks is None:
        return TASKS
    for task in tasks:
        if task not in TASKS:
            raise UsageError(
                f'There is no task "{task}".{did_you_mean(task, TASKS)}\n  The tasks are: {", ".join(TASKS)}.'
            )
    if not tasks:
        raise UsageError(f"No task was given. The tasks are: {', '.join(TASKS)}.")
    return tuple(tasks)


def _read(source: Source | str) -> Source:
    if isinstance(source, Source):
        return source
    from lexel.data.readers import read_source

    return read_source(source, prefer=("test", "val"))


def _plan(source: Source, wanted: Sequence[str], labels: Sequence[str] | None) -> list[str]:
    """The tasks among those wanted that the source has what it takes for."""
    captioned = [pair for pair in source.pairs if pair.captions]
    captions = {caption for pair in captioned for caption in pair.captions}
    names = source.labels
    possible = {
        "zero_shot": len(labels or names) >= 2 and bool(names),
        "retrieval": len(captioned) >= 2 and len(captions) >= 2,
    }
    plan = [task for task in wanted if possible[task]]
    if not plan:
        raise UsageError(
            f"{source.name} has {len(names)} distinct labels, and {len(captions)} distinct captions of "
            f"{len(captioned)} images: not enough for {' or '.join(wanted)}.\n"
            "  Zero-shot needs two labels, retrieval two captions and two images."
        )
    return plan


def _measure(
    encoder: Encoder, source: Source, plan: Sequence[str], prompts: tuple[str, ...], labels: Sequence[str] | None
) -> SourceReport:
    embedded = embed_source(encoder, source)
    named = zero_shot(encoder, embedded, prompts, labels) if "zero_shot" in plan else None
    found = retrieval(encoder, embedded) if "retrieval" in plan else None
    said = caveats.about_reading(embedded)
    if named:
        said += caveats.about_zero_shot(named)
    if found:
        said += caveats.about_captions(encoder, found) + caveats.about_retrieval(found)
    report = SourceReport(
        name=source.name,
        split=source.split,
        fingerprint=source_fingerprint(source),
        images=len(embedded.pairs),
        unreadable=len(embedded.unreadable),
        notes=list(source.notes),
        warnings=said,
        zero_shot=zero_shot_section(named) if named else None,
        retrieval=retrieval_section(found) if found else None,
        similarity=caption_grid(found) if found else label_grid(named) if named else None,
    )
    return report.with_pictures(_shown_pictures(report, embedded))


def _shown_pictures(report: SourceReport, embedded: EmbeddedSource) -> dict:
    shown = set(report.similarity.keys) if report.similarity else set()
    if report.zero_shot:
        shown |= {image.key for image in (*report.zero_shot.hits, *report.zero_shot.misses)}
    if report.retrieval:
        shown |= {image.key for query in report.retrieval.caption_queries for image in query.found}
        shown |= {query.key for query in report.retrieval.image_queries}
    return {pair.key: pair.picture for pair in embedded.pairs if pair.key in shown}


def source_fingerprint(source: Source) -> str:
    """A short hash of the keys, captions and labels: equal for equal test sets, whatever they are called."""
    digest = hashlib.sha256()
    for pair in source.pairs:
        digest.update(json.dumps([pair.key, pair.captions, pair.label], ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()[:12]
