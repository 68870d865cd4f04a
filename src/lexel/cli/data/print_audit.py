"""How the inspection of a source looks on standard output."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lexel.terminal import one_line

if TYPE_CHECKING:
    from lexel.data.audit import Audit, Spread


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
