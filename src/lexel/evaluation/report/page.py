"""The report as one HTML file that needs nothing else: no network, no scripts, images inlined, light and dark."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lexel.data.pairs import Picture
from lexel.errors import BadImageError
from lexel.evaluation.metrics.metric import Metric
from lexel.evaluation.report import phrases
from lexel.evaluation.report.charts import draw_chart
from lexel.evaluation.report.sections import Classes, ClassScore, Confusion, Numbers, SimilarityGrid
from lexel.extras import missing_library
from lexel.terminal import counted

if TYPE_CHECKING:
    from jinja2 import Environment

    from lexel.evaluation.report.report import Report, SourceReport

TEMPLATES = Path(__file__).parent / "templates"
MATRIX_CLASSES = 40  # more are drawn as a picture without names
NUMBERED_CLASSES = 15  # so few that the counts fit into the cells
LISTED_CLASSES = 8  # best, and worst
LONGEST_NAME = 24  # letters, beside the matrix


def render(report: Report) -> str:
    """The whole page. Thumbnails are made from the report's pictures; one read back from JSON has none."""
    return page_environment().get_template("report.html.jinja").render(report=report)


def page_environment(*folders: Path) -> Environment:
    """Jinja with the filters, blocks and styles that all pages use, and the templates in further folders."""
    try:
        from jinja2 import Environment, FileSystemLoader
    except ImportError as error:
        raise missing_library("The report page", "jinja2", error) from None
    loader = FileSystemLoader([*folders, TEMPLATES])
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "percent": phrases.percent,
        "rank": phrases.rank,
        "keep_ranges": lambda sentence: sentence.replace("–", "–\u2060"),  # ranges stay on one line
    }
    environment.globals |= {
        "table_rows": table_rows,
        "best_and_worst": best_and_worst,
        "matrix_view": matrix_view,
        "shades": shades,
        "draw_chart": draw_chart,
        "thumbnail_of": thumbnail_of,
    }
    return environment


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of a table of numbers."""

    name: str
    detail: str
    value: str
    interval: str
    chance: str
    metric: Metric | None  # to be drawn as a bar, where it is a share


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """One count of the confusion matrix, as a share of its row."""

    row: int
    column: int
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class MatrixView:
    """The confusion matrix: cells with names beside them, or a picture where there are too many."""

    labels: list[str]
    cells: list[MatrixCell]
    picture: str | None
    numbered: bool
    margin: int  # pixels that the longest name needs


def table_rows(table: Numbers) -> list[TableRow]:
    """The metrics of the table as they are written."""
    return [
        _row(table.words.get(name, name.replace("_", " ")), name.replace("_", " "), metric)
        for name, metric in table.metrics.items()
    ]


def _row(name: str, detail: str, metric: Metric) -> TableRow:
    return TableRow(
        name=name,
        detail=f"{detail}, less is better" if metric.less_is_better else detail,
        value=phrases.in_unit(metric, metric.value),
        interval=phrases.interval(metric),
        chance=phrases.chance(metric),
        metric=metric if metric.unit == "share" else None,
    )


def best_and_worst(block: Classes) -> tuple[list[TableRow], list[TableRow]]:
    """The classes that are named best, and those that are named worst, the worst first."""
    scored = [(score, score.accuracy) for score in block.classes if score.accuracy]
    scored.sort(key=lambda pair: (-pair[1].value, pair[0].label))
    rows = [_row(score.label, _images(score), metric) for score, metric in scored]
    half = min(LISTED_CLASSES, (len(rows) + 1) // 2)
    return rows[:half], rows[max(half, len(rows) - half) :][::-1]


def _images(score: ClassScore) -> str:
    return counted(score.images, "image")


def matrix_view(block: Confusion) -> MatrixView:
    """What the template needs to draw the matrix."""
    totals = [max(1, images) for images in block.images]
    cells = [MatrixCell(true, said, count, count / totals[true]) for true, said, count in block.cells]
    longest = max(min(len(label), LONGEST_NAME) for label in block.labels)
    return MatrixView(
        labels=[label if len(label) <= LONGEST_NAME else label[: LONGEST_NAME - 1] + "…" for label in block.labels],
        cells=cells,
        picture=_matrix_picture(cells, len(block.labels)) if len(block.labels) > MATRIX_CLASSES else None,
        numbered=len(block.labels) <= NUMBERED_CLASSES,
        margin=round(6.6 * longest) + 14,
    )


def _matrix_picture(cells: Sequence[MatrixCell], size: int) -> str:
    """Blue on the diagonal, orange off it, over nothing: it lies well on light and on dark paper."""
    pixels = np.zeros((size, size, 4), np.uint8)
    for cell in cells:
        colour = (58, 124, 196) if cell.row == cell.column else (214, 112, 52)
        pixels[cell.row, cell.column] = (*colour, round(255 * cell.share**0.5))
    scale = max(1, round(640 / size))
    return data_uri(Image.fromarray(pixels).resize((size * scale, size * scale), Image.Resampling.NEAREST), "PNG")


def shades(grid: SimilarityGrid) -> list[list[float]]:
    """How dark each cell is, 0..1."""
    cosines = np.array(grid.cosines)
    spread = max(float(np.ptp(cosines)), 1e-6)
    return (((cosines - cosines.min()) / spread) ** 1.5).round(3).tolist()


def thumbnail_of(source: SourceReport, key: str, side: int) -> str | None:
    """The thumbnail of the source's image; None when its picture is not at hand."""
    return thumbnail(source.pictures.get(key), side)


def thumbnail(picture: Picture | None, side: int) -> str | None:
    """The picture as a data URI, no side over `side` pixels; None when there is none to be had."""
    if picture is None:
        return None
    try:
        image = picture.load()
    except BadImageError:
        return None
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return data_uri(image, "WEBP")


def data_uri(image: Image.Image, kind: str) -> str:
    """The image as an address that holds its bytes."""
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=78, optimize=True)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
