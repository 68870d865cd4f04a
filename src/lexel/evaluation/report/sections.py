"""What a task writes into the report: a section of numbers, sentences and blocks to look at.

A block is data. The page draws each kind of block with the macro of the same name (templates/blocks.html.jinja), so a
task that is content with these kinds needs no HTML of its own.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr

from lexel.config import Config
from lexel.data.pairs import Picture
from lexel.evaluation.metrics.metric import Metric
from lexel.evaluation.metrics.outcomes import Outcome


class Guess(Config):
    """A text that the model proposed for an image, and how sure it was (a probability or a cosine)."""

    text: str
    score: float
    right: bool


class NamedImage(Config):
    """An image of the gallery, its true label and what the model said, best first."""

    key: str
    label: str
    guesses: list[Guess]


class ClassScore(Config):
    """How often the images of one label were named rightly; None when the label does not occur."""

    label: str
    images: int
    accuracy: Metric | None


class FoundImage(Config):
    """An image that the model proposed for a caption."""

    key: str
    score: float  # cosine
    right: bool


class CaptionQuery(Config):
    """A caption of the gallery and the images found for it, best first; `rank` is that of the first right one."""

    caption: str
    rank: float
    found: list[FoundImage]


class ImageQuery(Config):
    """An image of the gallery and the captions found for it, best first; `rank` is that of the first right one."""

    key: str
    rank: float
    found: list[Guess]


class Line(Config):
    """One line of a chart; `low` and `high` bound its 95 % band and may be empty."""

    name: str
    x: list[float]
    y: list[float]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


class Numbers(Config):
    """A table of metrics. `key` begins their names in `Report.metrics()`; `words` says them plainly."""

    kind: Literal["numbers"] = "numbers"
    key: str = ""  # "image_to_text"
    title: str
    metrics: dict[str, Metric]
    words: dict[str, str] = Field(default_factory=dict)


class Paragraph(Config):
    """A sentence or two."""

    kind: Literal["paragraph"] = "paragraph"
    title: str = ""
    text: str


class Confusion(Config):
    """The confusion matrix. `cells` holds (true, said, count), the labels as positions in `labels`."""

    kind: Literal["confusion"] = "confusion"
    labels: list[str]
    images: list[int]  # of each label
    cells: list[tuple[int, int, int]]


class Counts(Config):
    """A list of things with how often each occurred, the commonest first."""

    kind: Literal["counts"] = "counts"
    title: str
    rows: list[tuple[str, int]]


class Classes(Config):
    """The accuracy of every class; the page shows the best and the worst."""

    kind: Literal["classes"] = "classes"
    classes: list[ClassScore]


class Gallery(Config):
    """Images with their labels and the model's guesses."""

    kind: Literal["gallery"] = "gallery"
    title: str
    explanation: str
    images: list[NamedImage]


class CaptionQueries(Config):
    """Captions, and the images found for them."""

    kind: Literal["caption_queries"] = "caption_queries"
    queries: list[CaptionQuery]
    images: int  # searched through


class ImageQueries(Config):
    """Images, and the captions found for them."""

    kind: Literal["image_queries"] = "image_queries"
    queries: list[ImageQuery]


class SimilarityGrid(Config):
    """The cosines of a few images with a few texts; image i belongs to text i."""

    kind: Literal["grid"] = "grid"
    image_keys: list[str]
    texts: list[str]
    cosines: list[list[float]]  # one row for each text


class Chart(Config):
    """Lines over a common axis. `references` are horizontal lines, (name, y)."""

    kind: Literal["chart"] = "chart"
    title: str
    explanation: str
    x_label: str
    y_label: str
    lines: list[Line]
    references: tuple[tuple[str, float], ...] = ()
    log_x: bool = False
    diagonal: bool = False


class Examples(Config):
    """A table of words, one row an example."""

    kind: Literal["examples"] = "examples"
    title: str
    explanation: str = ""
    columns: list[str]
    rows: list[list[str]]


Block = Annotated[
    Numbers
    | Paragraph
    | Confusion
    | Counts
    | Classes
    | Gallery
    | CaptionQueries
    | ImageQueries
    | SimilarityGrid
    | Chart
    | Examples,
    Field(discriminator="kind"),
]


class TaskSection(Config):
    """What one task found on one source."""

    task: str  # its name
    title: str
    headline: str  # the result in one sentence
    facts: tuple[str, ...] = ()  # what was measured on: "7 classes"
    warnings: tuple[str, ...] = ()
    blocks: list[Block]
    method: tuple[str, ...] = ()  # sentences on how it was measured
    templates: tuple[str, ...] = ()  # prompts in which labels were shown
    headline_metrics: list[str]  # names within the task, as in `metrics`: those that a comparison shows
    _outcomes: dict[str, Outcome] = PrivateAttr(default_factory=dict)
    _pictures: dict[str, Picture] = PrivateAttr(default_factory=dict)

    @property
    def metrics(self) -> dict[str, Metric]:
        """Every metric by its name within the task, such as "top1" or "image_to_text/recall@1"."""
        tables = [block for block in self.blocks if isinstance(block, Numbers)]
        return {
            f"{table.key}/{name}" if table.key else name: metric
            for table in tables
            for name, metric in table.metrics.items()
        }

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """What each example contributed to a metric, by the metric's name, for paired comparisons."""
        return self._outcomes

    def with_outcomes(self, outcomes: Mapping[str, Outcome]) -> Self:
        """The same section with the outcomes of its examples; report.json does not hold them."""
        self._outcomes.update(outcomes)
        return self

    @property
    def pictures(self) -> Mapping[str, Picture]:
        """Pictures by key that its blocks show and that are not those of the source."""
        return self._pictures

    def with_pictures(self, pictures: Mapping[str, Picture]) -> Self:
        """The same section, able to show these pictures beside those of the source; report.json holds none."""
        self._pictures.update(pictures)
        return self

    def picture_keys(self) -> set[str]:
        """The keys of the images that its blocks show."""
        return {key for block in self.blocks for key in _keys_of(block)}


def _keys_of(block: Block) -> Sequence[str]:
    match block:
        case Gallery(images=images):
            return [image.key for image in images]
        case CaptionQueries(queries=queries):
            return [image.key for query in queries for image in query.found]
        case ImageQueries(queries=queries):
            return [query.key for query in queries]
        case SimilarityGrid(image_keys=keys):
            return keys
        case _:
            return []
