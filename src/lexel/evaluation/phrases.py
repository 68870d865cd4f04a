"""Numbers and results in words, for the report page, its warnings and the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lexel.evaluation.metrics import Metric

if TYPE_CHECKING:
    from lexel.evaluation.report import RetrievalSection, SourceReport, ZeroShotSection

SPACE = "\u00a0"  # that does not break a line


def percent(share: float) -> str:
    """A share with as many digits as are worth reading: "91 %", "4.2 %", "0.15 %"."""
    value = 100 * share
    if value >= 99.95 or 9.95 <= value < 99:
        return f"{value:.0f}{SPACE}%"
    return f"{value:.1f}{SPACE}%" if value >= 0.95 else f"{value:.2g}{SPACE}%"


def interval(metric: Metric) -> str:
    """The 95 % interval of a share: "89–93 %"."""
    low, high = percent(metric.low), percent(metric.high)
    return low if low == high else f"{low.removesuffix(SPACE + '%')}–{high}"


def rank(value: float) -> str:
    """A rank: "3", "12.5", "1,204"."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"


def headlines(source: SourceReport) -> list[str]:
    """What was found on a source, one sentence for each task."""
    said = []
    if source.zero_shot:
        said.append(_naming(source.zero_shot))
    if source.retrieval:
        said.append(_finding(source.retrieval))
    return said


def _naming(section: ZeroShotSection) -> str:
    top1 = section.metrics["top1"]
    return (
        f"Names {len(section.classes):,} kinds of things right {percent(top1.value)} of the time ({interval(top1)}); "
        f"guessing would give {percent(top1.chance)}."
    )


def _finding(section: RetrievalSection) -> str:
    first, ten = (section.text_to_image[name] for name in ("recall@1", "recall@10"))
    return (
        f"Finds the image that a caption describes, among {section.images:,}, at the first try {percent(first.value)} "
        f"of the time ({interval(first)}) and within ten {percent(ten.value)} ({interval(ten)}); "
        f"guessing would give {percent(first.chance)} and {percent(ten.chance)}."
    )


def metric_in_words(name: str) -> str:
    """ "retrieval/image_to_text/recall@1" as people say it: "image → text, recall@1"."""
    task, _, metric = name.removeprefix("average/").rpartition("/")
    task = task.removeprefix("retrieval/").replace("_to_", " → ").replace("zero_shot", "naming")
    return f"{task}, {metric.replace('_', ' ')}{' of the average' if name.startswith('average/') else ''}"
