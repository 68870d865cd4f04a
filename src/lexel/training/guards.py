"""Guards: data sets that measure forgetting, on which a fine-tuned model must not fall below the starting model.

Each guard is a source that is not learned from. It is measured on the starting model and on the running one; where it
falls by more points than the recipe allows, the run stops and its best earlier state becomes the model. Without guards
all that is known is how far the embeddings of the training pictures have moved.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lexel.blending.curve import ScoreChange, score_change
from lexel.data.pairs import Pair, Source
from lexel.errors import DataError, LexelError, UsageError
from lexel.evaluation.score import SourceScore, check_has_score, measure_score
from lexel.files import write_atomically
from lexel.progress import say
from lexel.terminal import counted
from lexel.training.inputs.input_reader import InputReader
from lexel.training.inputs.training_data import evaluation_templates
from lexel.training.optimization.optimizer import Optimizer
from lexel.training.recipe import Recipe
from lexel.training.run_inputs import RunInputs, live_encoder
from lexel.training.snapshots import Snapshots

PICTURES_COMPARED = 500  # of those that are learned from: how far their embeddings have moved


@dataclass(frozen=True)
class Kept:
    """The guards of a finished run: scores of the starting model and of the result."""

    changes: list[ScoreChange]  # of each guard
    moved: float | None  # mean cosine of the pictures' embeddings before and after; None where none could be read
    reason: str | None  # why the run was stopped
    is_start: bool = False  # whether nothing but the starting model kept what the guards ask for

    def sentences(self) -> list[str]:
        """For people: why the run was stopped, where it was, and what was measured."""
        return [*([self.reason] if self.reason else []), *self.measured()]

    def measured(self) -> list[str]:
        """For people: what each guard says or, without any, how far the embeddings have moved."""
        said = []
        for change in self.changes:
            before, after = change.before, change.after
            low, high = (100 * end for end in change.interval)
            said.append(
                f"Guard {before.source}, {before.name}: {before.points:.1f} % before, {after.points:.1f} % after: "
                f"{100 * change.difference:+.1f} points ({low:+.1f} to {high:+.1f}), {change.verdict}."
            )
        if not self.changes and self.moved is not None:
            said.append(
                f"The embeddings of pictures that were learned from have a mean cosine of {self.moved:.3f} with those "
                "of the starting model. No guard was given, so nothing else about forgetting was measured."
            )
        return said

    def table(self) -> str:
        """Markdown, for the model card."""
        head = "| guard | measured | before | after | points (95 %) | verdict |\n|---|---|---|---|---|---|"
        rows = [
            f"| {c.before.source} | {c.before.name} | {_cell(c.before)} | {_cell(c.after)} | {100 * c.difference:+.1f} "
            f"({100 * c.interval[0]:+.1f} to {100 * c.interval[1]:+.1f}) | {c.verdict} |"
            for c in self.changes
        ]
        others = [self.reason] if self.reason and self.changes else [] if self.changes else self.sentences()
        return "\n".join([*([head, *rows, ""] if rows else []), *others])


class Guards:
    """The guards of one run. Make it while the model is still the one that the run begins with."""

    def __init__(self, inputs: RunInputs, sources: Sequence[Source]) -> None:
        self.inputs = inputs
        self.sources = sources
        self.reason: str | None = None  # why the run was stopped
        self.best = 0  # the step of the best state that kept what the guards ask for
        self._least_loss = math.inf  # of held-out pairs, where every guard held
        _warn_of_shared_pictures(inputs, sources)
        self._pictures = _spread([pair for s in inputs.training_data.sources for pair in s.pairs], PICTURES_COMPARED)
        self.before = self._scores(0)
        self._first = self._embedded(0)
        for score in self.before:
            say(f"Guard {score.source}, {score.name}: {score.points:.1f} % before")

    def resume(self, optimizer: Optimizer) -> None:
        """Restore the guards' state of an interrupted run, or keep the first state as the best one so far."""
        state = self.inputs.world.once(self._read)
        if state is None and self.sources:
            with optimizer.averaged():
                self._keep(0, optimizer)
            self._write()
        elif state is not None:
            self.reason, self._least_loss, self.best = state
            if self.reason:
                say(self.reason)

    def check(self, done: int, loss: float, optimizer: Optimizer) -> dict[str, float]:
        """Measure after `done` steps, whose held-out pairs have this loss. Sets `reason` where a guard has fallen.

        The optimizer's averaged weights are in place, where there are any. Returns what is worth logging.
        """
        scores = self._scores(done)
        for before, now in zip(self.before, scores, strict=True):
            lost = before.points - now.points
            if lost > self.inputs.recipe.guard.most_lost and self.reason is None:
                self.reason = (
                    f"Stopped after step {done}: the guard {now.source} fell from {before.points:.1f} % to "
                    f"{now.points:.1f} %, and {self.inputs.recipe.guard.most_lost:g} points are allowed."
                )
                say(self.reason)
        if self.sources:
            if self.reason is None and loss < self._least_loss:
                self._least_loss, self.best = loss, done
                self._keep(done, optimizer)
            self._write()
        return {f"guard/{score.source}": score.metric.value for score in scores}

    def kept(self) -> Kept:
        """The final comparison with the starting model, for the report and the card."""
        scores, vectors = self._scores(self.inputs.steps), self._embedded(self.inputs.steps)
        moved = float((self._first * vectors).sum(axis=1).mean()) if len(vectors) else None
        changes = [score_change(before, after) for before, after in zip(self.before, scores, strict=True)]
        return Kept(changes, moved, self.reason, is_start=self.reason is not None and self.best == 0)

    def _scores(self, done: int) -> list[SourceScore]:
        if not self.sources:
            return []
        encoder = live_encoder(self.inputs, done)
        recipe = self.inputs.recipe
        templates = recipe.guard.templates or evaluation_templates(recipe)
        return [measure_score(encoder, source, templates) for source in self.sources]

    def _embedded(self, done: int) -> np.ndarray:
        """(N, D) of the pictures, without those that cannot be read."""
        return live_encoder(self.inputs, done).embed_readable([pair.picture for pair in self._pictures], what=None)[0]

    def _keep(self, done: int, optimizer: Optimizer) -> None:
        """Save the current state as the best one so far, and wait until it is there. Within `optimizer.averaged`."""
        inputs = self.inputs
        snapshots = Snapshots(inputs.folder.best, keep=1, writes=inputs.world.main)
        with optimizer.unaveraged():
            snapshots.save(done, inputs.clip, optimizer, dict(inputs.identity))
        snapshots.wait()

    def _read(self) -> tuple[str | None, float, int] | None:
        try:
            state = json.loads(self.inputs.folder.guards.read_text())
            return state["reason"], float(state["least_loss"]), int(state["best"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError) as error:
            raise LexelError(f"{self.inputs.folder.guards} is damaged: {error}. Train into another --output.") from None

    def _write(self) -> None:
        state = {"reason": self.reason, "least_loss": self._least_loss, "best": self.best}
        self.inputs.world.once(lambda: write_atomically(self.inputs.folder.guards, json.dumps(state) + "\n"))


def read_guards(recipe: Recipe, reader: InputReader) -> list[Source]:
    """The guards' sources. Raises UsageError or DataError where one cannot be read or says nothing of its pictures."""
    found = [reader.other_source(name, "guard", recipe.data, ("val", "test")) for name in recipe.guard.sources]
    for source in found:
        try:
            check_has_score(source)
        except (UsageError, DataError) as error:
            raise type(error)(f"guard: {error}") from None
    return found


def _warn_of_shared_pictures(inputs: RunInputs, guards: Sequence[Source]) -> None:
    """A guard that is learned from cannot show what is forgotten."""
    sources = [*inputs.training_data.sources, *(inputs.remembered.data.sources if inputs.remembered else ())]
    learned = {pair.picture for source in sources for pair in source.pairs} if guards else set()
    for guard in guards:
        if shared := sum(pair.picture in learned for pair in guard.pairs):
            say(
                f"Guard {guard.name}: the run learns from {shared:,} of its {counted(len(guard.pairs), 'picture')}, so "
                "it cannot show what is forgotten. Give others."
            )


def _spread(pairs: Sequence[Pair], most: int) -> list[Pair]:
    """At most so many, evenly spread."""
    return [pairs[len(pairs) * number // most] for number in range(most)] if len(pairs) > most else list(pairs)


def _cell(score: SourceScore) -> str:
    return f"{score.points:.1f} % ({100 * score.metric.low:.1f} to {100 * score.metric.high:.1f})"
