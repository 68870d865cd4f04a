"""Telling an image's caption from wrong ones: SugarCrepe, ARO, or a table of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lexel.errors import DataError
from lexel.evaluation.metrics.choices import choice_chance, choice_scores
from lexel.evaluation.metrics.metric import Metric, mean_per_class, proportion
from lexel.evaluation.metrics.outcomes import Outcome
from lexel.evaluation.published.probe_source import CaptionChoice, ProbeSource
from lexel.evaluation.report.caveats import about_wide_interval
from lexel.evaluation.report.gallery import varied
from lexel.evaluation.report.phrases import chance, interval, percent
from lexel.evaluation.report.sections import Gallery, Guess, NamedImage, Numbers, TaskSection
from lexel.evaluation.tasks.base import TaskInput, TaskRequest
from lexel.evaluation.tasks.compositional.luck import about_luck
from lexel.terminal import counted

IMAGES_SHOWN = 8
MOST_WRONG_SHOWN = 2  # captions under an image


class CaptionChoices:
    """The task: a source that names wrong captions beside the true one."""

    name = "choices"
    needs = "wrong captions, as sugarcrepe:FOLDER, aro:FOLDER and choices:TABLE have"

    def fits(self, wanted: TaskRequest) -> bool:
        return isinstance(wanted.source, ProbeSource) and bool(wanted.source.choices)

    def measure(self, given: TaskInput) -> TaskSection:
        source = given.embedded.source
        assert isinstance(source, ProbeSource)
        found = measure_choices(given, source.choices)
        return TaskSection(
            task=self.name,
            title="Telling the caption from wrong ones",
            headline=(
                f"The true caption is told from the wrong ones {percent(found.overall.value)} of the time "
                f"({interval(found.overall)}); guessing would give {chance(found.overall)}."
            ),
            facts=(counted(len(found.choices), "choice"),),
            warnings=found.warnings,
            blocks=[*found.tables, found.gallery],
            method=(
                "A choice counts as right where the image is nearer to its true caption than to every wrong one; at "
                "equal distances as often as a random order would be right. Choices on one image are resampled "
                "together.",
            ),
            headline_metrics=["accuracy"],
        ).with_outcomes(found.outcomes)


@dataclass(frozen=True)
class MeasuredChoices:
    """Choices with whether each was right, and the parts of a section on them."""

    given: TaskInput
    choices: list[CaptionChoice]  # on images that could be read
    unread: int  # on others
    rows: np.ndarray  # (N,) of the images, in the embedded source
    texts: np.ndarray  # (T, D) all captions, each once
    own: np.ndarray  # (N,) which of them is true
    wrong: list[np.ndarray]  # and which are not
    scores: np.ndarray  # (N,) 0 or 1, at ties between them

    @property
    def kinds(self) -> list[str]:
        """What the captions differ in, each once."""
        return list(dict.fromkeys(choice.kind for choice in self.choices))

    @cached_property
    def overall(self) -> Metric:
        """The share of all choices that are right."""
        return self._metric(np.arange(len(self.choices)))

    def _metric(self, which: np.ndarray) -> Metric:
        guess = choice_chance([self.choices[i].wrong for i in which])
        return proportion(self.scores[which], guess, self.rows[which])

    def _of_kind(self, kind: str) -> np.ndarray:
        return np.array([i for i, choice in enumerate(self.choices) if choice.kind == kind])

    @property
    def tables(self) -> list[Numbers]:
        """All choices, then each kind; where a kind has kinds of its own, their mean too, as published."""
        words = {"accuracy": "The true caption is nearest"}
        metrics = {"accuracy": self.overall}
        if len(self.kinds) < 2 and not any(choice.detail for choice in self.choices):
            return [Numbers(title=f"Of {counted(len(self.choices), 'choice')}", metrics=metrics, words=words)]
        by_kind: dict[str, Metric] = {}
        said: dict[str, str] = {}
        for kind in self.kinds:
            which = self._of_kind(kind)
            by_kind[kind] = self._metric(which)
            said[kind] = f"{kind.replace('_', ' ') or 'of no kind'}, {counted(len(which), 'choice')}"
            details = [self.choices[i].detail for i in which]
            names, classes = np.unique(details, return_inverse=True)
            if len(names) > 1:
                mean = f"{kind}_mean"
                by_kind[mean] = mean_per_class(self.scores[which], classes, by_kind[kind].chance)
                said[mean] = f"{kind.replace('_', ' ')}, mean over its {len(names):,} kinds"
        if len(self.kinds) > 1:
            codes = np.array([self.kinds.index(choice.kind) for choice in self.choices])
            guess = float(np.mean([by_kind[kind].chance or 0.0 for kind in self.kinds]))
            metrics["mean_over_kinds"] = mean_per_class(self.scores, codes, guess)
            words["mean_over_kinds"] = f"Mean over {len(self.kinds)} kinds"
        return [
            Numbers(title=f"Of {counted(len(self.choices), 'choice')}", metrics=metrics, words=words),
            Numbers(key="kind", title="By what the captions differ in", metrics=by_kind, words=said),
        ]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Choices that could not be measured or tell nothing, and results that may be luck."""
        said = []
        if self.unread:
            said.append(f"{self.unread:,} choices are about images that could not be read; left out.")
        same = sum(choice.caption in choice.wrong for choice in self.choices)
        if same:
            said.append(f"{same:,} choices have the true caption among the wrong ones: they count by chance.")
        distinct = list({text for choice in self.choices for text in (choice.caption, *choice.wrong)})
        cut = self.given.encoder.count_truncated(distinct)
        if cut:
            said.append(
                f"Longer than the model reads, and cut off at its end: {cut:,} of {counted(len(distinct), 'caption')}."
            )
        said += about_luck("Telling captions apart", self.overall)
        said += about_wide_interval("Telling captions apart", self.overall, counted(len(self.choices), "choice"))
        return tuple(said)

    @property
    def outcomes(self) -> dict[str, Outcome]:
        """What each choice contributed, all together and by kind."""
        found = {"accuracy": Outcome(self.scores, self.rows)}
        if len(self.kinds) > 1:
            for kind in self.kinds:
                which = self._of_kind(kind)
                found[f"kind/{kind}"] = Outcome(self.scores[which], self.rows[which])
        return found

    @property
    def gallery(self) -> Gallery:
        """Some choices, drawn at random, right and wrong by turns."""
        turns = np.array([2 * self.kinds.index(choice.kind) for choice in self.choices]) + (self.scores > 0.5)
        images = []
        for i in varied(np.arange(len(self.choices)), turns, IMAGES_SHOWN):
            columns = np.concatenate([[self.own[i]], self.wrong[i][:MOST_WRONG_SHOWN]])
            vector = self.given.embedded.vectors[self.rows[i]]
            shares = self.given.encoder.probabilities_of((vector @ self.texts[columns].T)[None])[0]
            shown = (self.choices[i].caption, *self.choices[i].wrong[:MOST_WRONG_SHOWN])
            guesses = [
                Guess(text=text, score=float(share), right=place == 0)
                for place, (text, share) in enumerate(zip(shown, shares, strict=True))
            ]
            guesses.sort(key=lambda guess: -guess.score)
            label = self.choices[i].kind.replace("_", " ")
            images.append(NamedImage(key=self.choices[i].key, label=label, guesses=guesses))
        return Gallery(
            title="Some of the choices",
            explanation="Drawn at random, right and wrong by turns. Under each what its captions differ in, then what "
            "the model said of each.",
            images=images,
        )


def measure_choices(given: TaskInput, choices: Sequence[CaptionChoice]) -> MeasuredChoices:
    """Measure the choices on the embedded images. Raises DataError where no image of them could be read."""
    row_of = {pair.key: row for row, pair in enumerate(given.embedded.pairs)}
    readable = [choice for choice in choices if choice.key in row_of]
    if not readable:
        raise DataError(f"{given.embedded.source.name}: none of the images of its choices could be read.")
    sentences = list(dict.fromkeys(text for choice in readable for text in (choice.caption, *choice.wrong)))
    place = {text: i for i, text in enumerate(sentences)}
    rows = np.array([row_of[choice.key] for choice in readable])
    own = np.array([place[choice.caption] for choice in readable])
    wrong = [np.array([place[text] for text in choice.wrong]) for choice in readable]
    texts = given.embedded.embed_texts(given.encoder, sentences)
    scores = choice_scores(given.embedded.vectors[rows], texts[own], [texts[columns] for columns in wrong])
    return MeasuredChoices(given, readable, len(choices) - len(readable), rows, texts, own, wrong, scores)
