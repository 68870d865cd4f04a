"""`lexel evaluate`"""

from pathlib import Path
from typing import Annotated

import typer

from lexel.cli.options import Json, Model, NumberFormat, Output, Runtime, Templates, chosen_templates


def evaluate(
    model: Model,
    sources: Annotated[
        list[str],
        typer.Argument(help="What to measure on: folders, tables, class folders, scenes:N/test.", show_default=False),
    ],
    output: Output = None,
    tasks: Annotated[
        str | None,
        typer.Option(
            help="zero-shot, retrieval, or both with a comma; default: all that the source allows.", show_default=False
        ),
    ] = None,
    templates: Templates = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Labels to choose among, with commas or a file; default: those of the source.", show_default=False
        ),
    ] = None,
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    json: Json = False,
) -> None:
    """Measure a model: zero-shot classification and retrieval.

    The first where there are labels, the second where there are captions. Writes report.json and report.html: every
    number with its 95 % interval and chance. Without --output they go into report/ or, where one lies there already,
    report-2/ and so on.

    \b
    Example:
      lexel evaluate runs/fashion/model fashion/test --output reports/fashion
    """
    from lexel.cli.print_report import print_metrics
    from lexel.cli.printing import print_json
    from lexel.evaluation.evaluate import evaluate as measure
    from lexel.evaluation.labels import read_labels
    from lexel.evaluation.report import unused_folder
    from lexel.files import make_folder
    from lexel.loading import load
    from lexel.progress import say

    folder = output or unused_folder(Path("report"))
    make_folder(folder)  # before the work, so that a name that cannot be is told at once
    if (folder / "report.json").is_file():
        say(f"The report in {folder} will be replaced.")
    report = measure(
        load(model, runtime=runtime, number_format=number_format),
        sources,
        tasks=[task.strip().replace("-", "_") for task in tasks.split(",")] if tasks else None,
        templates=chosen_templates(templates),
        labels=read_labels(labels) if labels else None,
    )
    report.save(folder)
    if json:
        print_json(report.metrics() | {"report": str(folder / "report.html")})
    else:
        print_metrics(report)
        print(f"Report  {folder / 'report.html'}")
