"""The seam between evaluation and its tasks: what a task is given, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from lexel.data.pairs import Source
from lexel.errors import LexelError
from lexel.evaluation.classifier import label_embeddings
from lexel.evaluation.embedded_source import EmbeddedSource, embed_source
from lexel.evaluation.published.reading import read_test_source
from lexel.evaluation.report.sections import TaskSection
from lexel.evaluation.texts.prompts import Prompts

if TYPE_CHECKING:
    from lexel.encoder import Encoder


@dataclass(frozen=True)
class TaskRequest:
    """What a user wants to measure on, before anything is embedded."""

    source: Source
    labels: tuple[str, ...] | None = None  # to choose among; None: those of the source
    named_training: Source | None = None  # that the user wants tasks to learn from

    @cached_property
    def training(self) -> Source | None:
        """What tasks learn from: what the user named, else the training split of the data set; None without any."""
        return self.named_training or training_split(self.source)

    @property
    def candidates(self) -> list[str]:
        """The labels to choose among."""
        return self.source.labels if self.labels is None else list(self.labels)


@dataclass(frozen=True)
class TaskInput:
    """One source, embedded once, and how the user wants it measured."""

    encoder: Encoder
    embedded: EmbeddedSource
    prompts: Prompts  # in which labels are shown
    request: TaskRequest
    seed: int = 0
    _training: list[EmbeddedSource] = field(default_factory=list, repr=False, compare=False)

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The labels to choose among; None for those of the source."""
        return self.request.labels

    @property
    def templates(self) -> tuple[str, ...]:
        """The templates of the prompts."""
        return self.prompts.templates

    def embed_labels(self, labels: Sequence[str]) -> np.ndarray:
        """One unit vector for each label: the mean of its prompts' embeddings, computed once for all tasks. (L, D)"""
        return label_embeddings(self.encoder, labels, self.prompts, self.embedded)

    def embed(self, source: Source) -> EmbeddedSource:
        """Another source, embedded with the cache of this one."""
        return embed_source(self.encoder, source, self.embedded.cache)

    def embedded_training(self) -> EmbeddedSource | None:
        """The training pairs, embedded when the first task asks for them; None where there are none."""
        training = self.request.training
        if training is None:
            return None
        if not self._training:
            self._training.append(self.embed(training))
        return self._training[0]


def training_split(source: Source) -> Source | None:
    """The training split of the data set that the source is another split of; None where there is none."""
    if source.split in (None, "train"):
        return None
    name, mark, seed = source.name.partition("?")
    whole = name.rpartition("/")[0] if name.endswith(f"/{source.split}") else name
    try:
        return read_test_source(f"{whole}/train{mark}{seed}", prefer=())
    except LexelError:  # no such split, or the source was made in Python and its name is no path
        return None


@runtime_checkable
class DrawnTask(Protocol):
    """A task with pictures of its own: it is measured once, whatever the sources are."""

    @property
    def name(self) -> str:
        """As in `--tasks`."""
        ...

    def draw(self) -> Source:
        """Its pictures, the same for every model."""
        ...

    def measure(self, given: TaskInput) -> TaskSection:
        """Measure on these pictures."""
        ...


class Task(Protocol):
    """One kind of measurement. To add one, write a file with a class like this and put it into `registry.TASKS`."""

    @property
    def name(self) -> str:
        """As in `--tasks` and in the names of metrics, such as "zero_shot"."""
        ...

    @property
    def needs(self) -> str:
        """What a source must have, to end the sentence "zero_shot needs …"."""
        ...

    def fits(self, wanted: TaskRequest) -> bool:
        """Whether the source has what the task needs."""
        ...

    def measure(self, given: TaskInput) -> TaskSection:
        """Measure, and say in one section of the report what was found, with warnings and a headline."""
        ...
