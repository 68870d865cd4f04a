"""How results look on standard output."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lexel.data.audit import Audit, Spread
    from lexel.evaluation.metrics import Metric
    from lexel.evaluation.report import Report
    from lexel.models.cost import ArchitectureCost

BAR = 20  # characters


def print_json(result: Any) -> None:
    """One JSON value, indented for people who look."""
    print(json.dumps(result, indent=2, ensure_ascii=False))


def print_ranking(ranked: Sequence[tuple[str, float]], indent: str = "") -> None:
    """A line for each text: its probability, a bar, the text."""
    for text, probability in ranked:
        print(f"{indent}{probability:7.1%}  {'█' * round(probability * BAR):<{BAR}}  {text}")


def print_metrics(report: "Report") -> None:
    """A line for each number: value, 95 % interval, chance."""
    for source in report.sources:
        print(f"{source.name}: {source.images:,} images")
        if source.zero_shot:
            _print_group("naming (zero-shot)", source.zero_shot.metrics)
        if source.retrieval:
            _print_group("image → text", source.retrieval.image_to_text)
            _print_group("text → image", source.retrieval.text_to_image)
        for warning in source.warnings:
            print(f"  Note: {warning}")


def _print_group(title: str, metrics: "Mapping[str, Metric]") -> None:
    print(f"  {title}")
    for name, metric in metrics.items():
        percent = "rank" not in name
        value, low, high, chance = (
            f"{number:.1%}" if percent else f"{number:.1f}"
            for number in (metric.value, metric.low, metric.high, metric.chance)
        )
        print(f"    {name.replace('_', ' '):<15} {value:>7}   95 % interval {low} to {high}, chance {chance}")


def print_audit(audit: "Audit") -> None:
    """The facts of a source, then what to look at."""
    print(
        f"{audit.source}: {audit.images:,} images, "
        f"{audit.with_captions:,} with captions, {audit.with_labels:,} with a label"
    )
    facts = {
        "captions": f"{audit.captions:,}, {audit.distinct_captions:,} distinct, "
        f"{audit.shared_captions:,} shared by several images"
        if audit.captions
        else None,
        "captions per image": _spread(audit.captions_per_image),
        "words per caption": _spread(audit.caption_words),
        "labels": f"{audit.labels:,}; most frequent: {_counts(audit.frequent_labels)}" if audit.labels else None,
        "width": _spread(audit.widths, " pixels"),
        "height": _spread(audit.heights, " pixels"),
        "formats": _counts(list(audit.formats.items())),
        "unreadable": f"{len(audit.unreadable):,}",
    }
    for name, value in facts.items():
        if value is not None:
            print(f"  {name:<20} {value}")
    for bad in audit.unreadable[:10]:
        print(f"    {bad.key}: {bad.reason}")
    for warning in audit.warnings:
        print(f"  Note: {warning}")


def _spread(spread: "Spread | None", unit: str = "") -> str | None:
    if spread is None:
        return None
    return f"{spread.least:g} to {spread.most:g}{unit}, half up to {spread.median:g}, 95 % up to {spread.most_of:g}"


def _counts(items: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{name} ({count:,})" for name, count in items[:8])


def print_architectures(costs: "Mapping[str, ArchitectureCost]") -> None:
    """A line for each architecture."""
    print(f"{'name':<28}{'parameters':>14}{'image':>10}{'caption':>10}")
    print(f"{'':<28}{'(millions)':>14}{'GFLOPs':>10}{'GFLOPs':>10}")
    for name, cost in costs.items():
        millions = (cost.parameters_image + cost.parameters_text) / 1e6
        print(f"{name:<28}{millions:>14,.2f}{cost.gflops_image:>10.2f}{cost.gflops_text:>10.2f}")


def print_pictures(paths: Sequence[Path], width: int) -> None:
    """Pictures side by side, two pixels to a character, where standard output is a terminal with colours."""
    if not sys.stdout.isatty():
        return
    from PIL import Image
    from rich.console import Console
    from rich.text import Text

    console = Console()
    each = max(8, min(width, (console.width - 2) // max(1, len(paths)) - 2))
    small = [Image.open(path).convert("RGB").resize((each, each), Image.Resampling.BOX) for path in paths]
    for row in range(0, each - 1, 2):
        line = Text("  ")
        for image in small:
            for column in range(each):
                upper, lower = image.getpixel((column, row)), image.getpixel((column, row + 1))
                line.append("▀", style=f"{_hex(upper)} on {_hex(lower)}")
            line.append("  ")
        console.print(line)


def _hex(colour: Any) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
