"""The seam between evaluation and its tasks: what a task is given, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from lexel.data.pairs import Source
from lexel.evaluation.embedded_source import EmbeddedSource, embed_source
from lexel.evaluation.sections import Section

if TYPE_CHECKING:
    from lexel.encoder import Encoder


@dataclass(frozen=True)
class TaskInput:
    """One source, embedded once, and how the user wants it measured."""

    encoder: Encoder
    embedded: EmbeddedSource
    templates: tuple[str, ...]  # prompts in which labels are shown
    labels: tuple[str, ...] | None = None  # to choose among; None: those of the source
    training_source: Source | None = None  # the source's training split, for tasks that learn
    seed: int = 0
    _training: list[EmbeddedSource] = field(default_factory=list, repr=False, compare=False)

    def training(self) -> EmbeddedSource | None:
        """The training split, embedded when the first task asks for it; None where there is none."""
        if self.training_source is None:
            return None
        if not self._training:
            self._training.append(embed_source(self.encoder, self.training_source))
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

    def fits(self, source: Source, labels: Sequence[str] | None) -> bool:
        """Whether the source has what the task needs; `labels` are those to choose among, if the user gave any."""
        ...

    def measure(self, given: TaskInput) -> Section:
        """Measure, and say in one section of the report what was found, with warnings and a headline."""
        ...
