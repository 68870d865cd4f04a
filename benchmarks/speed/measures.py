"""What is measured, on which pictures: sets to choose by, which are never reported, and sets that are reported.

tiny-imagenet's val split is cut in two, every other picture: the even ones are to choose by, the odd ones reported.
Otherwise val splits are to choose by, and test splits reported.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lexel.data.pairs import Source
from lexel.data.readers import read_source
from lexel.encoder import Encoder
from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.report.report import Report


@dataclass(frozen=True)
class Measured:
    """One number of a model in per cent, with its 95 % interval and what guessing gives."""

    value: float
    low: float
    high: float
    chance: float


@dataclass(frozen=True)
class Measure:
    """A source and a task, which give one number or several."""

    name: str
    source: str  # within the data folder
    task: str  # zero_shot or retrieval
    templates: str = "photo"
    half: int | None = None  # every other picture, from this one on; None: all
    metrics: tuple[str, ...] = ("top1",)  # as the task names them

    def read(self, data_folder: Path) -> Source:
        source = read_source(str(data_folder / self.source))
        if self.half is None:
            return source
        return replace(source, pairs=[source.pairs[row] for row in range(self.half, len(source.pairs), 2)])


BOTH_WAYS = ("image_to_text/recall@10", "text_to_image/recall@10")
SHORT = {"top1": "", "image_to_text/recall@10": " i→t", "text_to_image/recall@10": " t→i"}


def _retrieval(name: str, source: str) -> Measure:
    return Measure(name, source, "retrieval", metrics=BOTH_WAYS)


FASHION_TITLES = {
    "reported": (_retrieval("fashion", "fashion_titles/test"),),
    "choosing": (_retrieval("fashion", "fashion_titles/val"),),
}
MEASURES: dict[str, dict[str, tuple[Measure, ...]]] = {
    "fashion_titles": FASHION_TITLES,
    "everyday": {
        "reported": (
            Measure("tiny-imagenet", "tinyimagenet_30k/val", "zero_shot", half=1),
            Measure("CIFAR-10", "cifar10_test5k", "zero_shot"),
            Measure("Caltech-101", "caltech101_eval/test", "zero_shot"),
            Measure("flowers5", "flowers5", "zero_shot"),
            _retrieval("aerial", "remote_sensing_captions/test"),
            _retrieval("Flickr8k", "flickr8k_part/test"),
            *FASHION_TITLES["reported"],
        ),
        "choosing": (
            Measure("tiny-imagenet", "tinyimagenet_30k/val", "zero_shot", half=0),
            _retrieval("aerial", "remote_sensing_captions/val"),
            _retrieval("Flickr8k", "flickr8k_part/val"),
            *FASHION_TITLES["choosing"],
        ),
    },
}


def measurer(data: str, sets: str, data_folder: Path) -> Callable[[Encoder], dict[str, Measured]]:
    """What measures a model: `sets` is "reported" or "choosing". The sources are read here, once."""
    measures = [(measure, measure.read(data_folder)) for measure in MEASURES[data][sets]]
    return lambda encoder: measured(encoder, measures)


def measured(encoder: Encoder, measures: Sequence[tuple[Measure, Source]]) -> dict[str, Measured]:
    """All numbers of a model by name, such as "tiny-imagenet" and "aerial i→t"."""
    found: dict[str, Measured] = {}
    for measure, source in measures:
        report = evaluate(encoder, source, tasks=[measure.task], templates=measure.templates)
        for metric in measure.metrics:
            found[f"{measure.name}{SHORT[metric]}"] = _percent(report, f"{measure.task}/{metric}")
    return found


def _percent(report: Report, name: str) -> Measured:
    metric = report.sources[0].metrics[name]
    return Measured(*(round(100 * number, 2) for number in (metric.value, metric.low, metric.high, metric.chance or 0)))
