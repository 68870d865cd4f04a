"""`lexel compare`"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexel.cli.options import Json, NoCache, NumberFormat, Output, Runtime, Templates, Wording, chosen_templates
from lexel.terminal import one_line

if TYPE_CHECKING:
    from lexel.evaluation.comparison.compare import Comparison
    from lexel.evaluation.report.report import Report
    from lexel.evaluation.suites import Suite


def compare(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="A B…",
            help="Reports (folders that evaluate wrote, or run folders); or models, with --on. The first is the "
            "baseline.",
            show_default=False,
        ),
    ],
    on: Annotated[
        list[str] | None,
        typer.Option(
            "--on", metavar="SOURCE", help="Evaluate the models on this source; repeatable.", show_default=False
        ),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(metavar="small|paper|FILE.toml", help="With --on: the tasks to measure.", show_default=False),
    ] = None,
    templates: Templates = None,
    wording: Wording = None,
    output: Output = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a table for a pull request.")] = False,
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    no_cache: NoCache = False,
    json: Json = False,
) -> None:
    """Compare models with the first one, and test whether the difference is real.

    Each difference is measured on the same examples, with a 95 % interval, a p-value and a verdict. --output writes
    comparison.html, with images on which the models disagree, and comparison.json.

    \b
    Example:
      lexel compare reports/old reports/new
      lexel compare runs/old/model runs/new/model --on flowers/test --output reports/old-new
    """
    from lexel.cli.printing import print_json
    from lexel.errors import UsageError
    from lexel.evaluation.comparison.compare import compare as compare_reports
    from lexel.evaluation.comparison.page import as_markdown, render_comparison
    from lexel.evaluation.suites import read_suite
    from lexel.files import make_folder, write_atomically
    from lexel.progress import say

    if json and markdown:
        raise UsageError("--json and --markdown are two ways of printing; give one.")
    if len(models) < 2:
        raise UsageError("A comparison needs two models or reports: lexel compare A B")
    if not on and (suite or templates or wording or runtime or number_format or no_cache):
        raise UsageError(
            "--suite, --templates, --wording, --runtime, --number-format and --no-cache are for models; name the data: "
            "--on SOURCE"
        )
    if output:
        make_folder(output)
    if on:
        chosen = read_suite(suite or "default")
        prompts = chosen_templates(templates, chosen.templates)
        reports = _measured(models, on, chosen, prompts, wording, runtime, number_format, cache=not no_cache)
    else:
        reports = [_report(name) for name in models]
    comparison = compare_reports(reports, _names(models, reports))
    if output:
        write_atomically(output / "comparison.json", comparison.model_dump_json(indent=1) + "\n")
        write_atomically(output / "comparison.html", render_comparison(comparison, reports))
    if json:
        print_json(
            comparison.model_dump(mode="json", exclude={"differences"})
            | {"results": comparison.model_dump(mode="json")["differences"]}
        )
    elif markdown:
        print(as_markdown(comparison), end="")
    else:
        _print(comparison)
    if output:
        say(f"Page  {output / 'comparison.html'}")


def _measured(
    models: list[str],
    sources: list[str],
    suite: "Suite",
    templates: str | list[str] | None,
    wording: Path | None,
    runtime: Runtime,
    number_format: NumberFormat,
    *,
    cache: bool,
) -> "list[Report]":
    from lexel.evaluation.evaluate import evaluate
    from lexel.evaluation.published.reading import read_test_source
    from lexel.loading import load

    read = [read_test_source(source) for source in sources]
    reports = []
    for name in models:  # one after the other: two large models need not fit into memory together
        encoder = load(name, runtime=runtime, number_format=number_format)
        reports.append(evaluate(encoder, read, tasks=suite.tasks, templates=templates, wording=wording, cache=cache))
    return reports


def _report(name: str) -> "Report":
    """The report in a folder, or that of a run folder."""
    from lexel.errors import UsageError
    from lexel.evaluation.report.report import Report

    path = Path(name).expanduser()
    if (path / "report" / "report.json").is_file():
        path = path / "report"
    if (path / "model.json").is_file():
        raise UsageError(f"{name} is a model, not a report. To compare models name the data: --on SOURCE")
    return Report.load(path)


def _names(models: list[str], reports: "list[Report]") -> list[str]:
    """The models' own names where these differ, else what the user wrote."""
    from lexel.evaluation.comparison.compare import unique_names

    own = [report.model for report in reports]
    return own if len(set(own)) == len(own) else unique_names(models)


def _print(comparison: "Comparison") -> None:
    wide = max(34, *(len(f"{row.task} {row.metric}") for row in comparison.differences))
    for name in comparison.models:
        print(f"{one_line(name)} against {one_line(comparison.baseline)}, in percentage points")
        source = None
        for row in comparison.differences:
            if row.model != name:
                continue
            if row.source != source:
                source = row.source
                print(f"  {one_line(source)}")
            low, high = row.interval
            values = f"{row.baseline_value:.1%} → {row.model_value:.1%}"
            measured = f"{row.task} {row.metric}".replace("_", " ")
            print(
                f"    {measured:<{wide}} {values:<17} {100 * row.difference:+6.1f}"
                f"   95 % interval {100 * low:+.1f} to {100 * high:+.1f}   p {row.p_value:<7.2g} {row.sentence}"
            )
