"""Measuring a model on one or more sources, with whatever tasks their pairs allow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from lexel.data.pairs import Source
from lexel.errors import UsageError
from lexel.evaluation.embedded_source import EmbeddedSource, embed_source
from lexel.evaluation.evaluation_cache import EvaluationCache, chosen_cache
from lexel.evaluation.published.probe_source import ProbeSource
from lexel.evaluation.published.reading import read_test_source
from lexel.evaluation.report.caveats import about_reading
from lexel.evaluation.report.overlap import about_overlap
from lexel.evaluation.report.report import Report, SourceReport
from lexel.evaluation.source_fingerprint import source_fingerprint
from lexel.evaluation.tasks.base import DrawnTask, Task, TaskInput, TaskRequest
from lexel.evaluation.tasks.drawn import measure_drawn
from lexel.evaluation.tasks.finding.languages import LanguageRetrieval
from lexel.evaluation.tasks.registry import PROBE_TASKS, chosen_tasks
from lexel.evaluation.texts.prompts import Prompts
from lexel.evaluation.texts.templates import DEFAULT_TEMPLATES
from lexel.evaluation.texts.templates import templates as read_templates
from lexel.evaluation.texts.wording import WordingLike, read_wording
from lexel.terminal import counted

if TYPE_CHECKING:
    from lexel.encoder import Encoder

SourceLike = Source | EmbeddedSource | str


def evaluate(
    encoder: Encoder,
    source: SourceLike | Sequence[SourceLike] = (),
    *,
    tasks: Sequence[str | Task] | None = None,
    templates: str | Sequence[str] | None = None,
    wording: WordingLike | None = None,
    labels: Sequence[str] | None = None,
    training: Source | str | None = None,
    cache: EvaluationCache | str | Path | bool | None = None,
    languages: Sequence[str] = (),
) -> Report:
    """Measure the model on the source or sources, by default zero-shot and retrieval, where the source allows them.

    A source that is embedded already is not embedded again. `tasks` are names or `Task` objects; those with pictures of
    their own need no source. `labels` are the names to choose from, by default those that occur in the source.
    `templates` are the sentences in which labels are shown, by default those that fit the source; `wording` says what
    the labels are called or look like. `training` is what tasks learn from (a linear probe), by default the training
    split of the data set that the source is a split of. With `cache=True`, or a folder, what the same model has
    embedded before is not embedded again; True is the folder that the command line uses. `languages` are columns of
    captions in other languages, or their codes ("de" for captions_de, "en" for the captions themselves): retrieval is
    measured in each of them.

    Example:
        report = lexel.evaluate(lexel.load("demo/run/model"), "scenes:1000/test", templates="scene", cache=True)
        report.metrics()["zero_shot/top1"]
        report.save("reports/demo")                             # report.json and report.html
    """
    wanted = chosen_tasks(tasks) + ([LanguageRetrieval(languages)] if languages else [])
    words = {} if wording is None else read_wording(wording)
    prompts = Prompts(read_templates(DEFAULT_TEMPLATES if templates is None else templates), words)
    kept = chosen_cache(cache)
    one = isinstance(source, str | Source | EmbeddedSource)
    sources = [
        item if isinstance(item, EmbeddedSource) else _read(item, keep_columns=bool(languages))
        for item in ([source] if one else source)
    ]
    drawn = [task for task in wanted if isinstance(task, DrawnTask)]
    on_sources = [task for task in wanted if not isinstance(task, DrawnTask)]
    if not sources and (on_sources or not drawn):
        raise UsageError("No source was given to evaluate on.")
    twice = [name for name, count in Counter(_source_of(item).name for item in sources).items() if count > 1]
    if twice:
        raise UsageError(f"{twice[0]} is given twice: the report could not show which numbers are whose.")
    given_labels = tuple(labels) if labels is not None else None
    given_training = _read(training, prefer=("train",)) if training is not None else None
    measured = []
    if on_sources:
        requests = [TaskRequest(_source_of(item), given_labels, given_training) for item in sources]
        plans = [_plan(request, on_sources) for request in requests]
        for request in requests:
            if request.source.labels:
                prompts.unsaid(request.candidates)  # refuses words for other labels, before anything is embedded
        for item, request, plan in zip(sources, requests, plans, strict=True):
            own = _own_templates(request.source) if templates is None else None
            fitting = prompts if own is None else Prompts(read_templates(own), words)
            measured.append(_measure(encoder, item, request, plan, fitting, kept))
    if drawn:
        measured.append(measure_drawn(encoder, drawn, prompts, kept))
    return Report(
        model=encoder.name,
        fingerprint=encoder.fingerprint,
        created=datetime.now(UTC).replace(microsecond=0),
        lexel_version=version("lexel"),
        sources=measured,
    )


def check_fits(source: Source, tasks: Sequence[str | Task] | None = None) -> None:
    """Raise UsageError, as `evaluate` would, where the source has not what it takes for any of the tasks."""
    _plan(TaskRequest(source), chosen_tasks(tasks))


def _read(source: Source | str, prefer: Sequence[str] = ("test", "val"), *, keep_columns: bool = False) -> Source:
    if isinstance(source, Source):
        return source
    return read_test_source(source, prefer=prefer, keep_columns=keep_columns)


def _own_templates(source: Source) -> str | None:
    return source.templates if isinstance(source, ProbeSource) else None


def _source_of(item: Source | EmbeddedSource) -> Source:
    return item.source if isinstance(item, EmbeddedSource) else item


def _plan(request: TaskRequest, wanted: Sequence[Task]) -> list[Task]:
    """The tasks among those wanted that the source has what it takes for."""
    plan = [task for task in wanted if task.fits(request)]
    if not plan:
        source = request.source
        captioned = [pair for pair in source.pairs if pair.captions]
        captions = {caption for pair in captioned for caption in pair.captions}
        meant = [task for task in wanted if task.name not in PROBE_TASKS] or wanted
        needs = "; ".join(f"{task.name} needs {task.needs}" for task in meant)
        raise UsageError(
            f"{source.name} has {len(source.labels)} distinct labels, and {len(captions)} distinct captions of "
            f"{counted(len(captioned), 'image')}: not enough for {' or '.join(task.name for task in meant)}.\n"
            f"  {needs[0].upper()}{needs[1:]}."
        )
    return plan


def _measure(
    encoder: Encoder,
    item: Source | EmbeddedSource,
    request: TaskRequest,
    plan: Sequence[Task],
    prompts: Prompts,
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
