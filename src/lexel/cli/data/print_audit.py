"""How the inspection of a source looks on standard output."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lexel.terminal import counted, one_line

if TYPE_CHECKING:
    from lexel.curation.sources.inspection import Inspection, TextFit
    from lexel.data.audit import Audit
    from lexel.data.audit.spread import Spread

BROKEN_SHOWN = 10  # pictures that cannot be read, by name


def print_inspection(inspection: "Inspection") -> None:
    """The facts of a source, then what to look at."""
    audit = inspection.audit
    print(
        f"{audit.source}: {counted(audit.images, 'image')}, "
        f"{audit.with_captions:,} with captions, {audit.with_labels:,} with a label"
    )
    facts = {
        "captions": f"{audit.captions:,}, {audit.distinct_captions:,} distinct, "
        f"{audit.shared_captions:,} shared by several images"
        if audit.captions
        else None,
        "captions per image": _spread(audit.captions_per_image),
        "words per caption": _spread(audit.caption_words),
        "captions by script": _counts(list(audit.scripts.items())) if audit.captions else None,
        "languages": _counts(list(audit.languages.items())) if audit.languages else None,
        "labels": f"{audit.labels:,}; most frequent: {_counts(audit.frequent_labels)}" if audit.labels else None,
        "width": _spread(audit.widths, " pixels"),
        "height": _spread(audit.heights, " pixels"),
        "width : height": _spread(audit.aspect_ratios),
        "kilobytes": _spread(audit.file_bytes, scale=1000),
        "formats": _counts(list(audit.formats.items())),
        "copies": _copies(audit),
        "captions alike": f"{audit.captions_near_another:,} distinct ones have the words of another"
        if audit.captions_near_another
        else None,
        "of one colour": counted(audit.flat_images, "image") if audit.flat_images else None,
        "unreadable": f"{audit.bad:,}",
    }
    for name, value in facts.items():
        if value is not None:
            print(f"  {name:<20} {value}")
    for bad in audit.unreadable[:BROKEN_SHOWN]:
        print(f"    {one_line(bad.key)}: {bad.reason}")
    if len(audit.unreadable) > BROKEN_SHOWN:
        print(f"    and {len(audit.unreadable) - BROKEN_SHOWN:,} more, which --html and --json name")
    if inspection.fit is not None:
        _print_fit(inspection.fit)
    for warning in inspection.warnings:
        print(f"  Note: {one_line(warning)}")


def _print_fit(fit: "TextFit") -> None:
    print(f"  By {fit.model}:")
    if fit.tokens is not None:
        cut = counted(fit.truncated, "caption is cut", "captions are cut")
        print(f"  {'tokens per caption':<20} {_spread(fit.tokens)}; {cut}")
    if fit.texts:
        how = "" if fit.calibrated else " (the model is not calibrated: judged beside texts that say little)"
        print(f"  {'match':<20} {_spread(fit.match, digits='.2f')}{how}")
        print(f"  {'worst match':<20} {one_line(fit.worst[0].key)}: {one_line(fit.worst[0].text)}")
    if fit.note:
        print(f"  Note: {fit.note}")


def _copies(audit: "Audit") -> str:
    same = sum(map(len, audit.duplicates))
    near = sum(1 + len(group.others) for group in audit.near_duplicates)
    found = [
        f"{counted(count, 'image')} {what}, in {counted(len(groups), 'group')}"
        for count, what, groups in (
            (same, "with the pixels of another", audit.duplicates),
            (near, "nearly like another", audit.near_duplicates),
        )
        if count
    ]
    return "; ".join(found) or "none"


def _spread(spread: "Spread | None", unit: str = "", scale: float = 1, digits: str = ".4g") -> str | None:
    if spread is None:
        return None
    values = (spread.least, spread.most, spread.median, spread.percentile_95)
    least, most, median, percentile_95 = (
        f"{value / scale:,.0f}" if value / scale >= 1000 else f"{value / scale:{digits}}" for value in values
    )
    if spread.least == spread.most:
        return f"{least}{unit}"
    return f"{least} to {most}{unit}, half up to {median}, 95 % up to {percentile_95}"


def _counts(items: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{name} ({count:,})" for name, count in items[:8])
