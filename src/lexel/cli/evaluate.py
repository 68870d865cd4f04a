"""`lexel evaluate`"""

from pathlib import Path
from typing import Annotated

import typer

from lexel.cli.options import (
    Json,
    Languages,
    Model,
    NoCache,
    NumberFormat,
    Output,
    Runtime,
    Templates,
    Wording,
    chosen_templates,
    split_names,
)


def evaluate(
    model: Model,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            help="What to measure on: folders, tables, scenes:N/test; published probes such as winoground:FOLDER.",
            show_default=False,
        ),
    ] = None,
    output: Output = None,
    tasks: Annotated[
        str | None,
        typer.Option(
            help="Such as zero-shot,knn; default: what fits.",
            show_default=False,
        ),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(
            metavar="small|paper|FILE.toml",
            help="Several tasks at once: small adds probe, shots, neighbours, calibration, geometry; paper takes all.",
            show_default=False,
        ),
    ] = None,
    templates: Templates = None,
    wording: Wording = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Labels to choose among, with commas or a file; default: those of the source.", show_default=False
        ),
    ] = None,
    training: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="What probes learn from; default: the source's own training split, else its other images.",
            show_default=False,
        ),
    ] = None,
    languages: Languages = None,
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    no_cache: NoCache = False,
    json: Json = False,
) -> None:
    """Measure a model: zero-shot classification where there are labels, retrieval where there are captions, and more.

    Writes report.json and report.html, every number with its 95 % interval and chance; by default into report/,
    report-2/ and so on.

    \b
    Examples:
      lexel evaluate runs/fashion/model fashion/test --output reports/fashion
      lexel evaluate runs/fashion/model fashion/test --suite small
      lexel evaluate runs/shop/model shop/test --languages en,de,fr
      lexel evaluate ViT-B-32/openai --tasks binding,counting,handwriting
    """
    from lexel.cli.print_report import print_metrics
    from lexel.cli.printing import print_json
    from lexel.errors import UsageError
    from lexel.evaluation.evaluate import evaluate as measure
    from lexel.evaluation.report.report import unused_folder
    from lexel.evaluation.suites import Suite, read_suite
    from lexel.evaluation.tasks.registry import chosen_tasks
    from lexel.evaluation.texts.labels import read_labels
    from lexel.files import make_folder
    from lexel.loading import load
    from lexel.progress import say

    if tasks and suite:
        raise UsageError("--tasks and --suite both choose the tasks; give one.")
    names = [task.strip().replace("-", "_") for task in tasks.split(",")] if tasks else None
    chosen = read_suite(suite or "default") if names is None else Suite(tasks=names)
    chosen_tasks(chosen.tasks)  # refuses unknown ones before anything is written
    folder = output or unused_folder(Path("report"))
    make_folder(folder)  # before the work, so that an impossible name is reported at once
    if (folder / "report.json").is_file():
        say(f"The report in {folder} will be replaced.")
    report = measure(
        load(model, runtime=runtime, number_format=number_format),
        sources or (),
        tasks=chosen.tasks,
        templates=chosen_templates(templates, chosen.templates),
        wording=wording,
        labels=read_labels(labels) if labels else None,
        training=training,
        cache=not no_cache,
        languages=split_names(languages) if languages else (),
    )
    report.save(folder)
    if json:
        found = {"report": str(folder / "report.html"), "model": report.model, "fingerprint": report.fingerprint}
        print_json(report.metrics() | found | {"sources": report.summary()})
    else:
        print_metrics(report)
        print(f"Report  {folder / 'report.html'}")
