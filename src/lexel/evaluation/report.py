"""The measured quality of a model: report.json for programs, report.html for people."""

from datetime import datetime
from pathlib import Path
from typing import Self

from pydantic import PrivateAttr, ValidationError

from lexel.config import Config
from lexel.data.pairs import Picture
from lexel.errors import DataError, UsageError
from lexel.evaluation.metrics import Metric
from lexel.evaluation.page import render
from lexel.files import write_atomically


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


class Confused(Config):
    """How many images of one label were taken for another."""

    true: str
    said: str
    count: int


class ZeroShotSection(Config):
    """How well images were named. `confusion` holds (true, said, count), the labels as positions in `classes`."""

    metrics: dict[str, Metric]  # top1, mean_per_class, top5
    images: int
    classes: list[ClassScore]
    majority_label: str
    majority_rate: float  # the accuracy of always saying majority_label
    confusion: list[tuple[int, int, int]]
    worst_confusions: list[Confused]
    hits: list[NamedImage]
    misses: list[NamedImage]


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


class RetrievalSection(Config):
    """How well captions and images found each other."""

    image_to_text: dict[str, Metric]  # recall@1, recall@5, recall@10, median_rank
    text_to_image: dict[str, Metric]
    images: int
    captions: int  # distinct ones
    caption_queries: list[CaptionQuery]
    image_queries: list[ImageQuery]


class SimilarityGrid(Config):
    """The cosines of a few images with a few texts; image i belongs to text i."""

    keys: list[str]
    texts: list[str]
    cosines: list[list[float]]  # one row for each text


class SourceReport(Config):
    """What was measured on one source."""

    name: str
    split: str | None
    fingerprint: str  # of its keys, captions and labels
    images: int  # that were read
    unreadable: int
    notes: list[str]  # how the source was read
    warnings: list[str]
    zero_shot: ZeroShotSection | None
    retrieval: RetrievalSection | None
    similarity: SimilarityGrid | None
    _pictures: dict[str, Picture] = PrivateAttr(default_factory=dict)  # of the gallery, to make thumbnails from

    def with_pictures(self, pictures: dict[str, Picture]) -> Self:
        """The same report, able to show these pictures on its page; report.json does not hold them."""
        self._pictures.update(pictures)
        return self

    @property
    def pictures(self) -> dict[str, Picture]:
        """The pictures of the gallery by key; empty in a report read back from JSON."""
        return self._pictures


class Report(Config):
    """What a model can do, measured; from `lexel.evaluate` or `Report.load`."""

    model: str
    fingerprint: str
    created: datetime
    lexel_version: str
    templates: tuple[str, ...]  # the prompts in which labels were shown; empty when nothing was named
    sources: list[SourceReport]

    def metrics(self) -> dict[str, float]:
        """All values by name, such as "zero_shot/top1" or "retrieval/image_to_text/recall@1".

        With several sources each name begins with its source's: "flickr8k/zero_shot/top1".
        """
        values = {}
        for source in self.sources:
            prefix = f"{source.name}/" if len(self.sources) > 1 else ""
            groups: dict[str, dict[str, Metric]] = {}
            if source.zero_shot:
                groups["zero_shot"] = source.zero_shot.metrics
            if source.retrieval:
                groups["retrieval/image_to_text"] = source.retrieval.image_to_text
                groups["retrieval/text_to_image"] = source.retrieval.text_to_image
            for group, metrics in groups.items():
                values |= {f"{prefix}{group}/{name}": metric.value for name, metric in metrics.items()}
        return values

    def save(self, folder: str | Path) -> None:
        """Write report.json and report.html into the folder, which is made when it is not there."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "report.json", self.model_dump_json(indent=1) + "\n")
        write_atomically(folder / "report.html", render(self))

    @classmethod
    def load(cls, path: str | Path) -> "Report":
        """Read a report.json, or the one in a folder."""
        path = Path(path)
        path = path / "report.json" if path.is_dir() else path
        if not path.is_file():
            raise UsageError(f"There is no report at {path}.\n  Make one: lexel evaluate MODEL SOURCE")
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the whole file"
            raise DataError(f"{path} is not a report of this version of Lexel: {place}: {first['msg']}") from error
