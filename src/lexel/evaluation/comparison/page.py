"""The comparison of models as one HTML page, with images on which they disagree, and as a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lexel.data.pairs import Pair
from lexel.errors import LexelError
from lexel.evaluation.comparison.compare import Comparison, Difference, common_sources, disagreements
from lexel.evaluation.published.reading import read_test_source
from lexel.evaluation.report.page import page_environment
from lexel.evaluation.report.report import Report, SourceReport
from lexel.evaluation.report.sections import Chart, Line
from lexel.evaluation.source_fingerprint import source_fingerprint

DISAGREEMENTS_SHOWN = 8  # for each side


@dataclass(frozen=True, slots=True)
class DisputedImage:
    """An image that one model gets right and the other wrong, with what is said of it."""

    key: str
    text: str  # its label or first caption, where the source is at hand


@dataclass(frozen=True, slots=True)
class Dispute:
    """Images on which a model and the baseline disagree in one metric."""

    source: SourceReport
    title: str
    baseline_right: list[DisputedImage]
    model_right: list[DisputedImage]


def render_comparison(comparison: Comparison, reports: Sequence[Report]) -> str:
    """The whole page. Images are shown where the source that a report names can still be read."""
    return (
        page_environment()
        .get_template("comparison.html.jinja")
        .render(
            comparison=comparison,
            reports=reports,
            scale=_scale(comparison.differences),
            disputes=_disputes(comparison, reports),
            curves=_curves(comparison),
        )
    )


def as_markdown(comparison: Comparison) -> str:
    """A table for a pull request: one line for each model, source and metric."""
    lines = [
        f"Compared with {_escaped(comparison.baseline)}, on the same examples (95 % intervals, paired bootstrap):",
        "",
        "| model | source | metric | baseline | model | difference | p | verdict |",
        "|---|---|---|--:|--:|--:|--:|---|",
    ]
    for row in comparison.differences:
        low, high = row.interval
        cells = (
            _escaped(row.model),
            _escaped(row.source),
            f"{row.task} {row.metric}",
            f"{100 * row.baseline_value:.1f} %",
            f"{100 * row.model_value:.1f} %",
            f"{100 * row.difference:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})",
            f"{row.p_value:.2g}",
            row.sentence,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")


def _scale(differences: Sequence[Difference]) -> float:
    """The largest difference or end of an interval, so that all bars share one axis."""
    return max(max(abs(row.difference), *map(abs, row.interval)) for row in differences) or 1.0


def _curves(comparison: Comparison) -> list[Chart]:
    """With three models or more, each metric over the models in the order given, such as snapshots of one run."""
    if len(comparison.models) < 2:
        return []
    places = {name: place for place, name in enumerate(comparison.models, start=2)}
    found: dict[tuple[str, str, str], list[Difference]] = {}
    for row in comparison.differences:
        found.setdefault((row.source, row.task, row.metric), []).append(row)
    return [
        _curve(f"{source}: {task} {metric}", metric, rows, places) for (source, task, metric), rows in found.items()
    ]


def _curve(title: str, metric: str, rows: Sequence[Difference], places: dict[str, int]) -> Chart:
    start = 100 * rows[0].baseline_value
    line = Line(
        name=metric,
        x=[1.0, *(float(places[row.model]) for row in rows)],
        y=[start, *(100 * row.model_value for row in rows)],
        low=(start, *(start + 100 * row.interval[0] for row in rows)),
        high=(start, *(start + 100 * row.interval[1] for row in rows)),
    )
    return Chart(
        title=title,
        explanation="Number 1 is the baseline; the band is the 95 % interval of the difference from it.",
        x_label="model, in the order given",
        y_label="%",
        lines=[line],
    )


def _disputes(comparison: Comparison, reports: Sequence[Report]) -> list[Dispute]:
    found = []
    for name, report in zip(comparison.models, reports[1:], strict=True):
        for mine, theirs in common_sources(reports[0], report):
            pairs = _pairs_at_hand(mine)
            for row in comparison.differences:
                if (row.model, row.source) != (name, mine.name):
                    continue
                sides = disagreements(mine, theirs, row.task, row.metric, DISAGREEMENTS_SHOWN)
                images = {d.key: DisputedImage(d.key, _text_of(pairs.get(d.key))) for d in sides}
                mine.with_images({key: pairs[key].picture for key in images if key in pairs}, mine.keys)
                found.append(
                    Dispute(
                        source=mine,
                        title=f"{mine.title}, {row.task} {row.metric}: {name} against {comparison.baseline}",
                        baseline_right=[images[d.key] for d in sides if d.right == "baseline"],
                        model_right=[images[d.key] for d in sides if d.right == "model"],
                    )
                )
    return [dispute for dispute in found if dispute.baseline_right or dispute.model_right]


def _pairs_at_hand(source: SourceReport) -> dict[str, Pair]:
    """The pairs of the source by key, read again by its name; none where it is gone or has changed."""
    try:
        read = read_test_source(source.name)
    except LexelError:
        return {}
    return {pair.key: pair for pair in read.pairs} if source_fingerprint(read) == source.fingerprint else {}


def _text_of(pair: Pair | None) -> str:
    if pair is None:
        return ""
    return pair.label if pair.label is not None else (pair.captions or ("",))[0]
