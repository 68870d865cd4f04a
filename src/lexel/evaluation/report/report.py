"""The measured quality of a model: report.json for programs, report.html for people."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, PrivateAttr, ValidationError

from lexel.config import Config
from lexel.data.pairs import Picture
from lexel.errors import DataError, UsageError
from lexel.evaluation.metrics.metric import Metric
from lexel.evaluation.metrics.outcomes import FILE_NAME, Outcome, load_outcomes, save_outcomes
from lexel.evaluation.report.page import render
from lexel.evaluation.report.sections import Block, TaskSection
from lexel.files import write_atomically

FORMAT = 2  # of report.json; 2: sections made of blocks


class SourceReport(Config):
    """What was measured on one source."""

    name: str
    split: str | None
    fingerprint: str  # of its keys, captions and labels
    images: int  # that were read
    unreadable: int
    notes: list[str]  # how the source was read
    warnings: list[str]  # about reading it; each section has its own
    sections: list[TaskSection]  # one for each task
    drawn: bool = False  # probes with pictures of their own, which belong to no source
    _pictures: dict[str, Picture] = PrivateAttr(default_factory=dict)  # that the page shows
    _keys: list[str] = PrivateAttr(default_factory=list)  # of the images that were read

    def with_images(self, pictures: dict[str, Picture], keys: Sequence[str]) -> Self:
        """The same report, able to show these pictures and to name these images; report.json holds neither."""
        self._pictures.update(pictures)
        self._keys[:] = keys
        return self

    @property
    def title(self) -> str:
        """The source's name, with its split where the name does not say it."""
        if self.split is None or self.name.endswith(f"/{self.split}"):
            return self.name
        return f"{self.name} ({self.split})"

    @property
    def pictures(self) -> dict[str, Picture]:
        """The pictures of the gallery by key; empty in a report read back from JSON."""
        return self._pictures

    @property
    def keys(self) -> list[str]:
        """The keys of the images that were read, to which the groups of outcomes refer."""
        return self._keys

    @property
    def all_warnings(self) -> list[str]:
        """The warnings about the source, then those of each section."""
        return [*self.warnings, *(warning for section in self.sections for warning in section.warnings)]

    @property
    def metrics(self) -> dict[str, Metric]:
        """Every metric by name, such as "zero_shot/top1"."""
        return {f"{s.task}/{name}": metric for s in self.sections for name, metric in s.metrics.items()}


class Report(Config):
    """What a model can do, measured; from `lexel.evaluate` or `Report.load`.

    Example:
        lexel.Report.load("runs/shop/report").metrics()["retrieval/image_to_text/recall@1"]
    """

    format: Literal[2] = FORMAT
    model: str
    fingerprint: str
    created: datetime
    lexel_version: str
    sources: list[SourceReport]
    training: list[Block] = Field(default_factory=list)  # curves of the run that the model comes from, if it is known

    @property
    def templates(self) -> list[str]:
        """The prompts in which labels were shown; empty when nothing was named."""
        shown = (template for source in self.sources for s in source.sections for template in s.templates)
        return list(dict.fromkeys(shown))

    @property
    def headlines(self) -> list[tuple[int, SourceReport, TaskSection]]:
        """Each section with its source and the place of that, in the order of the page."""
        return [(place, source, section) for place, source in enumerate(self.sources) for section in source.sections]

    @property
    def method(self) -> list[str]:
        """How it was measured, each sentence once."""
        return list(dict.fromkeys(word for source in self.sources for s in source.sections for word in s.method))

    def metrics(self) -> dict[str, float]:
        """All values by name, such as "zero_shot/top1" or "retrieval/image_to_text/recall@1".

        With several sources each name begins with its source's: "flickr8k/zero_shot/top1"; those of drawn probes never
        do.
        """
        several = sum(not source.drawn for source in self.sources) > 1
        return {
            f"{source.name}/{name}" if several and not source.drawn else name: metric.value
            for source in self.sources
            for name, metric in source.metrics.items()
        }

    def summary(self) -> dict[str, dict[str, Any]]:
        """The main numbers of each source by name, such as "zero_shot_top1" and "zero_shot_top1_interval"."""
        return {source.name: _summary(source) for source in self.sources}

    def save(self, folder: str | Path) -> None:
        """Write report.json, report.html and the outcomes of the examples into the folder, which is made if missing."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        outcomes = {
            f"{number}/{section.task}/{name}": outcome
            for number, source in enumerate(self.sources)
            for section in source.sections
            for name, outcome in section.outcomes.items()
        }
        save_outcomes(folder / FILE_NAME, [source.keys for source in self.sources], outcomes)
        write_atomically(folder / "report.json", self.model_dump_json(indent=1) + "\n")
        write_atomically(folder / "report.html", render(self))

    @classmethod
    def load(cls, path: str | Path) -> "Report":
        """Read a report.json, or the one in a folder, and the outcomes that lie beside it."""
        path = Path(path)
        path = path / "report.json" if path.is_dir() else path
        if not path.is_file():
            raise UsageError(f"There is no report at {path}.\n  Make one: lexel evaluate MODEL SOURCE")
        try:
            report = cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the whole file"
            raise DataError(f"{path} is not a report of this version of Lexel: {place}: {first['msg']}") from error
        beside = path.with_name(FILE_NAME)
        return report._with_outcomes(*load_outcomes(beside)) if beside.is_file() else report

    def _with_outcomes(self, keys: list[list[str]], outcomes: dict[str, Outcome]) -> "Report":
        for number, source in enumerate(self.sources):
            source.with_images({}, keys[number] if number < len(keys) else [])
            for section in source.sections:
                start = f"{number}/{section.task}/"
                section.with_outcomes(
                    {name.removeprefix(start): found for name, found in outcomes.items() if name.startswith(start)}
                )
        return self


def _summary(source: SourceReport) -> dict[str, Any]:
    found: dict[str, Any] = {"images": source.images, "fingerprint": source.fingerprint}
    for section in source.sections:
        names = section.headline_metrics or list(section.metrics)
        for name in names:
            metric, plain = section.metrics[name], f"{section.task}_{name.replace('/', '_')}"
            found[plain] = metric.value
            found[f"{plain}_interval"] = [metric.low, metric.high]
            if metric.chance is not None:
                found[f"{plain}_chance"] = metric.chance
    return found | {"warnings": source.all_warnings}


def unused_folder(folder: Path) -> Path:
    """The folder where nothing lies there yet, else the first free one of `folder-2`, `folder-3` …"""
    number, candidate = 1, folder
    while candidate.exists() and not _is_empty(candidate):
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and next(folder.iterdir(), None) is None
