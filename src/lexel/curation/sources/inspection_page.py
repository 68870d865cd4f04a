"""An inspection as one HTML file that needs nothing else: no network, no scripts, pictures inlined, light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lexel.data.audit.copies import NearCopies
from lexel.data.audit.spread import Histogram, Spread
from lexel.data.pairs import Picture, Source
from lexel.evaluation.report.page import page_environment, thumbnail
from lexel.terminal import counted

if TYPE_CHECKING:
    from lexel.curation.sources.inspection import Inspection

TEMPLATES = Path(__file__).parent / "templates"
GROUPS_SHOWN = 12  # of copies of each kind
COPIES_SHOWN = 6  # of one group
LEAKS_SHOWN = 12  # pictures that another source has too
BROKEN_SHOWN = 20
THUMBNAIL_SIDE = 200  # pixels; shown at up to 152
PLOT_WIDTH, PLOT_HEIGHT = 420, 130  # pixels
MOST_TICKS = 7
RATIOS = {1 / 8: "1:8", 1 / 4: "1:4", 1 / 2: "1:2", 2 / 3: "2:3", 1: "1:1", 3 / 2: "3:2", 2: "2:1", 4: "4:1", 8: "8:1"}

ODD_KINDS = {
    "smallest": ("Smallest", "Those with the shortest sides."),
    "largest": ("Largest", "Those with the longest shorter side."),
    "slivers": ("Slivers", "At least three times as long as wide: a square crop shows a third of them at most."),
    "darkest": ("Darkest", "Nearly black."),
    "brightest": ("Brightest", "Nearly white: often documents, or products on white."),
    "flat": ("Of one colour", "Placeholders and failed downloads look like this."),
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a histogram, in pixels."""

    x: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class HistogramView:
    """What the template needs to draw a histogram."""

    width: int
    height: int
    bars: list[Bar]
    ticks: list[tuple[float, str]]


def render_inspection(inspection: Inspection) -> str:
    """The whole page; thumbnails are made from the pictures that it shows. Raises UsageError without jinja2."""
    environment = page_environment()
    from jinja2 import ChoiceLoader, FileSystemLoader

    assert environment.loader is not None
    environment.loader = ChoiceLoader([FileSystemLoader(TEMPLATES), environment.loader])
    pictures = _pictures(inspection.source, _shown(inspection))
    there = {} if inspection.against is None else _pictures(inspection.against, _shown_there(inspection))
    return environment.get_template("inspection.html.jinja").render(
        inspection=inspection,
        audit=inspection.audit,
        fit=inspection.fit,
        thumbnail_here=partial(_thumbnail, pictures),
        thumbnail_there=partial(_thumbnail, there),
        histogram_view=histogram_view,
        spread_words=spread_words,
        counted=counted,
        groups=copy_groups,
        odd_kinds=ODD_KINDS,
        limits={"groups": GROUPS_SHOWN, "copies": COPIES_SHOWN, "leaks": LEAKS_SHOWN, "broken": BROKEN_SHOWN},
    )


def histogram_view(histogram: Histogram, *, ratios: bool = False, shares: bool = False) -> HistogramView:
    """Lay the histogram out: bars of equal width, each with its range and count in its title."""
    counts, bounds = histogram.counts, histogram.bounds
    width = PLOT_WIDTH / max(len(counts), 1)
    most = max(counts, default=0) or 1
    bars = [
        Bar(
            x=round(at * width, 1),
            width=round(width - 1.5, 1),
            height=round(PLOT_HEIGHT * count / most, 1),
            title=_title(bounds, at, count, real=ratios or shares),
        )
        for at, count in enumerate(counts)
    ]
    if ratios and bounds:
        known = {ratio: text for ratio, text in RATIOS.items() if bounds[0] <= ratio <= bounds[-1]}
        places = np.interp(np.log2(list(known)), np.log2(bounds), np.arange(len(bounds))) * width
        ticks = [(round(at, 1), text) for at, text in zip(places.tolist(), known.values(), strict=True)]
        return HistogramView(PLOT_WIDTH, PLOT_HEIGHT, bars, ticks)
    step = max(1, -(-len(bounds) // MOST_TICKS))
    ticks = [(round(at * width, 1), f"{bounds[at]:g}") for at in range(0, len(bounds), step)]
    return HistogramView(PLOT_WIDTH, PLOT_HEIGHT, bars, ticks)


def _title(bounds: Sequence[float], at: int, count: int, *, real: bool) -> str:
    low, high = bounds[at], bounds[at + 1]
    if real:
        return f"{low:.3g} to {high:.3g}: {count:,}"
    return f"{low:g}: {count:,}" if high - low == 1 else f"{low:g} to {high - 1:g}: {count:,}"


def spread_words(spread: Spread | None, scale: float = 1, digits: str = ".4g") -> str:
    """A spread in a phrase."""
    if spread is None:
        return "–"
    least, median, percentile_95, most = (
        f"{value / scale:,.0f}" if abs(value / scale) >= 1000 else f"{value / scale:{digits}}"
        for value in (spread.least, spread.median, spread.percentile_95, spread.most)
    )
    if least == most:
        return least
    return f"{least} to {most}; half up to {median}, 95 % up to {percentile_95}"


def copy_groups(groups: Sequence[NearCopies | list[str]]) -> list[list[tuple[str, str]]]:
    """The first groups, as (key, what is said below it)."""
    found = []
    for group in groups[:GROUPS_SHOWN]:
        if isinstance(group, NearCopies):
            rest = [(key, f"{alike:.3f}") for key, alike in zip(group.others, group.likeness, strict=True)]
            found.append([(group.keep, "kept"), *rest][:COPIES_SHOWN])
        else:
            found.append([(key, "") for key in group[:COPIES_SHOWN]])
    return found


def _shown(inspection: Inspection) -> set[str]:
    audit, fit = inspection.audit, inspection.fit
    parts = (audit.duplicates, audit.near_duplicates, fit.semantic_duplicates if fit else [])
    keys = {key for part in parts for group in copy_groups(part) for key, _ in group}
    keys |= {key for listed in audit.odd.values() for key in listed}
    keys |= {weak.key for weak in fit.worst} if fit else set()
    leak = audit.leak
    return keys | ({here for here, _ in (leak.near[:LEAKS_SHOWN] + leak.exact[:LEAKS_SHOWN])} if leak else set())


def _shown_there(inspection: Inspection) -> set[str]:
    leak = inspection.audit.leak
    return {there for _, there in (leak.near[:LEAKS_SHOWN] + leak.exact[:LEAKS_SHOWN])} if leak else set()


def _pictures(source: Source, keys: set[str]) -> dict[str, Picture]:
    found: dict[str, Picture] = {}
    for pair in source.pairs:
        if pair.key in keys:
            found.setdefault(pair.key, pair.picture)
    return found


def _thumbnail(pictures: Mapping[str, Picture], key: str) -> str | None:
    return thumbnail(pictures.get(key), THUMBNAIL_SIDE)
