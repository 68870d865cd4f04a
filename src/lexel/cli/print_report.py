"""How an evaluation looks on standard output."""

from typing import TYPE_CHECKING

from lexel.terminal import counted, one_line

if TYPE_CHECKING:
    from lexel.evaluation.metrics.metric import Metric
    from lexel.evaluation.report.report import Report
    from lexel.evaluation.report.sections import TaskSection


def print_metrics(report: "Report") -> None:
    """A line for each number of each task: value, 95 % interval, chance; then what to know before believing them."""
    for source in report.sources:
        print(f"{one_line(source.title)}: {counted(source.images, 'image')}")
        for section in source.sections:
            _print_section(section)
        for warning in source.all_warnings:
            print(f"  Note: {one_line(warning)}")


def _print_section(section: "TaskSection") -> None:
    from lexel.evaluation.report.sections import Numbers

    print(f"  {section.title}")
    for block in section.blocks:
        if isinstance(block, Numbers):
            print(f"    {block.title}")
            for name, metric in block.metrics.items():
                print(f"      {name.replace('_', ' '):<28} {_in_words(metric)}")


def _in_words(metric: "Metric") -> str:
    written = {"share": "{:.1%}", "rank": "{:.1f}", "number": "{:.3g}"}[metric.unit].format
    chance = "" if metric.chance is None else f", chance {written(metric.chance)}"
    return f"{written(metric.value):>7}   95 % interval {written(metric.low)} to {written(metric.high)}{chance}"
