"""The report as one HTML file that needs nothing else: no network, no scripts, images inlined, light and dark."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lexel.data.pairs import Picture
from lexel.errors import BadImageError
from lexel.evaluation import phrases
from lexel.evaluation.metrics import Metric
from lexel.extras import missing_library

if TYPE_CHECKING:
    from jinja2 import Environment

    from lexel.evaluation.report import ClassScore, Report, SimilarityGrid, SourceReport, ZeroShotSection

TEMPLATES = Path(__file__).parent / "templates"
MATRIX_CLASSES = 40  # more are drawn as a picture without names
NUMBERED_CLASSES = 15  # so few that the counts fit into the cells
LISTED_CLASSES = 8  # best, and worst
LONGEST_NAME = 24  # letters, beside the matrix

METRIC_NAMES = {
    "top1": "Right at the first guess",
    "top5": "Right within five guesses",
    "mean_per_class": "Mean over classes",
    "recall@1": "The first is right",
    "recall@5": "A right one within 5",
    "recall@10": "A right one within 10",
    "median_rank": "Middle rank of the right one",
}
DIRECTIONS = {"text_to_image": "From caption to image", "image_to_text": "From image to caption"}


def render(report: Report) -> str:
    """The whole page. Thumbnails are made from the report's pictures; one read back from JSON has none."""
    views = [_source_view(source) for source in report.sources]
    return _environment().get_template("report.html.jinja").render(report=report, views=views)


def _environment() -> Environment:
    try:
        from jinja2 import Environment, FileSystemLoader
    except ImportError as error:
        raise missing_library("The report page", "jinja2", error) from None
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"percent": phrases.percent, "rank": phrases.rank, "interval": phrases.interval}
    return environment


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a table of numbers; the positions are in 0..100."""

    name: str
    detail: str
    value: str
    interval: str
    chance: str
    metric: Metric | None  # to be drawn, where it is a share


@dataclass(frozen=True, slots=True)
class Cell:
    """One count of the confusion matrix, as a share of its row."""

    row: int
    column: int
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Matrix:
    """The confusion matrix: cells with names beside them, or a picture where there are too many."""

    labels: list[str]
    cells: list[Cell]
    picture: str | None
    numbered: bool
    margin: int  # pixels that the longest name needs


@dataclass(frozen=True, slots=True)
class SourceView:
    """What the template shows of one source."""

    source: SourceReport
    title: str
    headlines: list[str]
    naming: list[Bar]
    finding: list[tuple[str, list[Bar]]]
    matrix: Matrix | None
    best: list[Bar]
    worst: list[Bar]
    shades: list[list[float]]  # of the similarity grid, 0..1
    thumbnail: Callable[[str, int], str | None]


def _source_view(source: SourceReport) -> SourceView:
    zero_shot, retrieval = source.zero_shot, source.retrieval
    best, worst = _best_and_worst(zero_shot.classes) if zero_shot else ([], [])
    return SourceView(
        source=source,
        title=_title(source),
        headlines=[
            sentence.replace("–", "–\u2060") for sentence in phrases.headlines(source)
        ],  # ranges stay on one line
        naming=_bars(zero_shot.metrics) if zero_shot else [],
        finding=[(title, _bars(getattr(retrieval, name))) for name, title in DIRECTIONS.items()] if retrieval else [],
        matrix=_matrix(zero_shot) if zero_shot else None,
        best=best,
        worst=worst,
        shades=_shades(source.similarity) if source.similarity else [],
        thumbnail=lambda key, side: thumbnail(source.pictures.get(key), side),
    )


def _title(source: SourceReport) -> str:
    if source.split is None or source.name.endswith(f"/{source.split}"):
        return source.name
    return f"{source.name} ({source.split})"


def _bars(metrics: dict[str, Metric]) -> list[Bar]:
    return [
        _bar(METRIC_NAMES[name], name.replace("_", " "), metric, name != "median_rank")
        for name, metric in metrics.items()
    ]


def _bar(name: str, detail: str, metric: Metric, is_share: bool = True) -> Bar:
    if is_share:
        words = phrases.percent(metric.value), phrases.interval(metric), phrases.percent(metric.chance)
        return Bar(name, detail, *words, metric)
    limits = f"{phrases.rank(metric.low)}–{phrases.rank(metric.high)}"
    return Bar(name, f"{detail}, less is better", phrases.rank(metric.value), limits, phrases.rank(metric.chance), None)


def _best_and_worst(classes: Sequence[ClassScore]) -> tuple[list[Bar], list[Bar]]:
    scored = sorted(
        ((score, score.accuracy) for score in classes if score.accuracy),
        key=lambda pair: (-pair[1].value, pair[0].label),
    )
    bars = [_bar(score.label, f"{score.images:,} images", metric) for score, metric in scored]
    half = min(LISTED_CLASSES, (len(bars) + 1) // 2)
    return bars[:half], bars[max(half, len(bars) - half) :][::-1]


def _matrix(section: ZeroShotSection) -> Matrix:
    labels = [score.label for score in section.classes]
    totals = [max(1, score.images) for score in section.classes]
    cells = [Cell(true, said, count, count / totals[true]) for true, said, count in section.confusion]
    longest = max(min(len(label), LONGEST_NAME) for label in labels)
    return Matrix(
        labels=[label if len(label) <= LONGEST_NAME else label[: LONGEST_NAME - 1] + "…" for label in labels],
        cells=cells,
        picture=_matrix_picture(cells, len(labels)) if len(labels) > MATRIX_CLASSES else None,
        numbered=len(labels) <= NUMBERED_CLASSES,
        margin=round(6.6 * longest) + 14,
    )


def _matrix_picture(cells: Sequence[Cell], size: int) -> str:
    """Blue on the diagonal, orange off it, over nothing: it lies well on light and on dark paper."""
    pixels = np.zeros((size, size, 4), np.uint8)
    for cell in cells:
        colour = (58, 124, 196) if cell.row == cell.column else (214, 112, 52)
        pixels[cell.row, cell.column] = (*colour, round(255 * cell.share**0.5))
    scale = max(1, round(640 / size))
    return _data_uri(Image.fromarray(pixels).resize((size * scale, size * scale), Image.Resampling.NEAREST), "PNG")


def _shades(grid: SimilarityGrid) -> list[list[float]]:
    cosines = np.array(grid.cosines)
    spread = max(float(np.ptp(cosines)), 1e-6)
    return (((cosines - cosines.min()) / spread) ** 1.5).round(3).tolist()


def thumbnail(picture: Picture | None, side: int) -> str | None:
    """The picture as a data URI, no side over `side` pixels; None when there is none to be had."""
    if picture is None:
        return None
    try:
        image = picture.load()
    except BadImageError:
        return None
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return _data_uri(image, "WEBP")


def _data_uri(image: Image.Image, kind: str) -> str:
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=78, optimize=True)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
