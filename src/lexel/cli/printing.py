"""How results look on standard output."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexel.terminal import one_line, unescaped

if TYPE_CHECKING:
    from lexel.calibration import Calibration
    from lexel.checkpoints.hub.locate import PretrainedRow
    from lexel.data.audit import Audit, Spread
    from lexel.models.cost import ArchitectureCost

BAR = 20  # characters


def print_json(result: Any) -> None:
    """One JSON value, indented for people who look."""
    print(json.dumps(result, indent=2, ensure_ascii=False))


def print_ranking(ranked: Sequence[tuple[str, float]], indent: str = "") -> None:
    """A line for each text: its probability, a bar, the text."""
    for text, probability in ranked:
        print(f"{indent}{probability:7.1%}  {'█' * round(probability * BAR):<{BAR}}  {one_line(text)}")


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
        print(f"    {one_line(bad.key)}: {bad.reason}")
    for warning in audit.warnings:
        print(f"  Note: {warning}")


def _spread(spread: "Spread | None", unit: str = "") -> str | None:
    if spread is None:
        return None
    return (
        f"{spread.least:g} to {spread.most:g}{unit}, half up to {spread.median:g}, 95 % up to {spread.percentile_95:g}"
    )


def _counts(items: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{name} ({count:,})" for name, count in items[:8])


def print_architectures(costs: "Mapping[str, ArchitectureCost]") -> None:
    """A line for each architecture."""
    print(f"{'name':<34}{'parameters':>14}{'image':>10}{'caption':>10}")
    print(f"{'':<34}{'(millions)':>14}{'GFLOPs':>10}{'GFLOPs':>10}")
    for name, cost in costs.items():
        towers = cost.parameters_image, cost.parameters_text
        millions = None if None in towers else sum(count or 0 for count in towers) / 1e6
        cells = f"{_number(millions):>14}{_number(cost.gflops_image):>10}{_number(cost.gflops_text):>10}"
        print(f"{name:<34}{cells}")


def print_pretrained(rows: "Sequence[PretrainedRow]") -> None:
    """A line for each published checkpoint."""
    print(f"{'name':<62}{'activation':<20}{'needs':<8}here")
    for row in rows:
        here = f"{row.size / 1e6:,.0f} MB" if row.size else ""
        print(f"{row.name:<62}{row.activation:<20}{' '.join(row.extras):<8}{here}".rstrip())


def print_calibration(calibration: "Calibration") -> None:
    """What a match is worth, as the cosines from which it is called so."""
    from lexel.calibration import POSSIBLE, STRONG

    print(f"strong    from cosine {calibration.cosine(STRONG):.3f} (probability {STRONG:.0%})")
    print(f"possible  from cosine {calibration.cosine(POSSIBLE):.3f} (probability {POSSIBLE:.0%})")
    print(
        f"Fitted on {calibration.pairs:,} pairs of {calibration.source}; on pairs left out of the fit the probability "
        f"is off by {calibration.expected_calibration_error:.1%} on average."
    )


def _number(value: float | None) -> str:
    """Two decimals; a dash for what only another library knows."""
    return "–" if value is None else f"{value:,.2f}"


def print_pictures(paths: Sequence[Path], width: int) -> None:
    """Pictures side by side, two pixels to a character, where standard output is a terminal with colours."""
    if not sys.stdout.isatty():
        return
    from PIL import Image
    from rich.console import Console
    from rich.text import Text

    console = Console(file=unescaped(sys.stdout))
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
