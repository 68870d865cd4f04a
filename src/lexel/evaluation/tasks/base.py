"""The seam between evaluation and its tasks: what a task is given, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from lexel.data.pairs import Source
from lexel.evaluation.embedded_source import EmbeddedSource, embed_source
from lexel.evaluation.sections import Section

if TYPE_CHECKING:
    from lexel.encoder import Encoder


@dataclass(frozen=True)
class TaskRequest:
    """What a user wants to measure on, before anything is embedded."""

    source: Source
    labels: tuple[str, ...] | None = None  # to choose among; None: those of the source
    training: Source | None = None  # pairs for tasks that learn: the source's own training split, or one that was named

    @property
    def candidates(self) -> list[str]:
        """The labels to choose among."""
        return self.source.labels if self.labels is None else list(self.labels)


@dataclass(frozen=True)
class TaskInput:
    """One source, embedded once, and how the user wants it measured."""

    encoder: Encoder
    embedded: EmbeddedSource
    templates: tuple[str, ...]  # prompts in which labels are shown
    labels: tuple[str, ...] | None = None  # to choose among; None: those of the source
    training: Source | None = None
    seed: int = 0
    _training: list[EmbeddedSource] = field(default_factory=list, repr=False, compare=False)

    def embedded_training(self) -> EmbeddedSource | None:
        """The training pairs, embedded when the first task asks for them; None where there are none."""
        if self.training is None:
            return None
        if not self._training:
            self._training.append(embed_source(self.encoder, self.training))
        return self._training[0]


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

    def measure(self, given: TaskInput) -> Section:
        """Measure, and say in one section of the report what was found, with warnings and a headline."""
        ...
