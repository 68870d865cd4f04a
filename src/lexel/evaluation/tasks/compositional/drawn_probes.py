"""What CLIP is known to be bad at, on scenes that Lexel draws: counting, relations, binding, negation, size.

The source plays no part: a probe shows the same twins to every model (see `drawn_twins`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lexel.evaluation.embedded_source import EmbeddedSource
from lexel.evaluation.metrics.metric import Metric, proportion
from lexel.evaluation.metrics.outcomes import Outcome
from lexel.evaluation.metrics.twins import CHANCES, TwinScores, twin_scores
from lexel.evaluation.pictures.drawn_twins import TWINS, draw_twins
from lexel.evaluation.report.gallery import varied
from lexel.evaluation.report.phrases import chance, interval, percent
from lexel.evaluation.report.sections import Gallery, Guess, NamedImage, Numbers, TaskSection
from lexel.evaluation.tasks.base import TaskInput, TaskRequest

IMAGES_SHOWN = 8
WORDS = {
    "caption": "An image is nearer to its own caption",
    "captions": "Both captions told apart (text score)",
    "images": "Both images told apart (image score)",
    "group": "All of that (group score)",
}


@dataclass(frozen=True, slots=True)
class DrawnProbe:
    """The task of one probe; it fits any source, since it draws its own scenes."""

    name: str  # also that of its twins
    ability: str  # to end the sentence "Probe: …"
    twins: int = TWINS
    needs: str = "nothing, it draws its own scenes"

    def fits(self, wanted: TaskRequest) -> bool:
        return True

    def measure(self, given: TaskInput) -> TaskSection:
        drawn = given.embed(draw_twins(self.name, self.twins))
        captions = [pair.captions[0] for pair in drawn.pairs]
        vectors = drawn.embed_texts(given.encoder, captions)
        scores = twin_scores(drawn.vectors.reshape(len(captions) // 2, 2, -1), vectors.reshape(-1, 2, vectors.shape[1]))
        metrics = twin_metrics(scores)
        found = metrics["captions"]
        section = TaskSection(
            task=self.name,
            title=f"Probe: {self.ability}",
            headline=(
                f"{self.name.title()}: tells both captions of {percent(found.value)} of the drawn twins apart "
                f"({interval(found)}); "
                f"guessing would give {chance(found)}."
            ),
            facts=(f"{len(scores.group):,} drawn twins",),
            warnings=_about_luck(self.name, found),
            blocks=[
                Numbers(title=f"Of {len(scores.group):,} pairs of drawn scenes", metrics=metrics, words=WORDS),
                _gallery(given, drawn, vectors, scores),
            ],
            method=(
                "Probes show two drawn scenes and two captions, each true of one scene alone; text, image and group "
                "score are those of Winoground.",
            ),
            headline_metrics=["caption", "captions"],
        )
        # No image of the source is behind these examples: they are numbered after its last one.
        twins = len(given.embedded.pairs) + np.arange(len(scores.group))
        return section.with_pictures({pair.key: pair.picture for pair in drawn.pairs}).with_outcomes(
            twin_outcomes(scores, twins)
        )


def twin_metrics(scores: TwinScores) -> dict[str, Metric]:
    """The four scores by name."""
    sides = np.repeat(np.arange(len(scores.group)), 2)
    return {
        "caption": proportion(scores.caption.ravel(), CHANCES["caption"], sides),
        "captions": proportion(scores.captions, CHANCES["captions"]),
        "images": proportion(scores.images, CHANCES["images"]),
        "group": proportion(scores.group, CHANCES["group"]),
    }


def twin_outcomes(scores: TwinScores, groups: np.ndarray) -> dict[str, Outcome]:
    """What each twin contributed; groups (N,) number the twins."""
    single = {"captions": scores.captions, "images": scores.images, "group": scores.group}
    return {"caption": Outcome(scores.caption.ravel(), np.repeat(groups, 2))} | {
        name: Outcome(values, groups) for name, values in single.items()
    }


def _about_luck(name: str, found: Metric) -> tuple[str, ...]:
    if found.chance is None or found.low > found.chance:
        return ()
    if found.high < found.chance:  # such as a model that prefers one of two captions whatever it sees
        return (
            f"{name.title()}: both captions are told apart less often than by guessing; one is preferred to the other.",
        )
    return (f"{name.title()}: telling captions apart is not distinguishable from guessing.",)


def _gallery(given: TaskInput, drawn: EmbeddedSource, vectors: np.ndarray, scores: TwinScores) -> Gallery:
    right = scores.caption.ravel() > 0.5
    rows = varied(np.arange(len(drawn.pairs)), right.astype(int), IMAGES_SHOWN)
    images = []
    for row in rows:
        columns = [row, row ^ 1]  # its own caption, and that of its twin
        shares = given.encoder.probabilities_of((drawn.vectors[row] @ vectors[columns].T)[None])[0]
        guesses = [
            Guess(text=drawn.pairs[column].captions[0], score=float(share), right=column == row)
            for column, share in zip(columns, shares, strict=True)
        ]
        guesses.sort(key=lambda guess: -guess.score)
        images.append(NamedImage(key=drawn.pairs[row].key, label=drawn.pairs[row].captions[0], guesses=guesses))
    return Gallery(
        title="Some of the drawn scenes",
        explanation="Drawn at random, right and wrong by turns. Under each its own caption, then what the model said.",
        images=images,
    )


COUNTING = DrawnProbe("counting", "how many (counting)")
RELATIONS = DrawnProbe("relations", "left or right, above or below (spatial relations)")
BINDING = DrawnProbe("binding", "which colour belongs to which shape (attribute binding)")
NEGATION = DrawnProbe("negation", "what is not there (negation)")
SIZE = DrawnProbe("size", "which one is the large one (size)")
