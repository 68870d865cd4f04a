"""Twins: two images and two captions that must be told apart. Published ones (Winoground), and the section of all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lexel.errors import DataError
from lexel.evaluation.metrics.metric import Metric, proportion
from lexel.evaluation.metrics.outcomes import Outcome
from lexel.evaluation.metrics.twins import CHANCES, TwinScores, twin_scores
from lexel.evaluation.published.probe_source import CaptionTwin, ProbeSource
from lexel.evaluation.report.gallery import varied
from lexel.evaluation.report.phrases import chance, interval, percent
from lexel.evaluation.report.sections import Gallery, Guess, NamedImage, Numbers, TaskSection
from lexel.evaluation.tasks.base import TaskInput, TaskRequest
from lexel.evaluation.tasks.compositional.luck import about_luck
from lexel.terminal import counted

IMAGES_SHOWN = 8
WORDS = {
    "caption": "An image is nearer to its own caption",
    "captions": "Both captions told apart (text score)",
    "images": "Both images told apart (image score)",
    "group": "All of that (group score)",
}
METHOD = (
    "Probes show two images and two captions, each true of one image alone; text, image and group score are those of "
    "Winoground. At equal distances each counts by expectation."
)


class CaptionTwins:
    """The task: a source of twins."""

    name = "twins"
    needs = "twins, as winoground:FOLDER has"

    def fits(self, wanted: TaskRequest) -> bool:
        return isinstance(wanted.source, ProbeSource) and bool(wanted.source.twins)

    def measure(self, given: TaskInput) -> TaskSection:
        return twins_section(given, self.name, "Telling twins apart", "Twins")


def twins_section(given: TaskInput, task: str, title: str, name: str) -> TaskSection:
    """Measure the twins of the embedded source; both images of a twin must have been read."""
    source = given.embedded.source
    assert isinstance(source, ProbeSource)
    row_of = {pair.key: row for row, pair in enumerate(given.embedded.pairs)}
    twins = [twin for twin in source.twins if all(key in row_of for key in twin.keys)]
    if not twins:
        raise DataError(f"{source.name}: of none of its twins could both images be read.")
    rows = np.array([[row_of[key] for key in twin.keys] for twin in twins])  # (N, 2)
    texts = given.embedded.embed_texts(given.encoder, [text for twin in twins for text in twin.captions])
    texts = texts.reshape(len(twins), 2, -1)
    scores = twin_scores(given.embedded.vectors[rows], texts)
    metrics = _metrics(scores)
    found = metrics["captions"]
    tables = [Numbers(title=f"Of {counted(len(twins), 'pair')} of images", metrics=metrics, words=WORDS)]
    section = TaskSection(
        task=task,
        title=title,
        headline=(
            f"{name}: tells both captions of {percent(found.value)} of the twins apart ({interval(found)}); guessing "
            f"would give {chance(found)}."
        ),
        facts=(f"{len(twins):,} twins",),
        warnings=(
            *_about_unread(len(source.twins) - len(twins)),
            *about_luck(f"{name}: telling captions apart", found),
        ),
        blocks=[*tables, *_by_kind(scores, [twin.kind for twin in twins]), _gallery(given, twins, rows, texts, scores)],
        method=(METHOD,),
        headline_metrics=["caption", "captions"],
    )
    return section.with_outcomes(_outcomes(scores, rows))


def _metrics(scores: TwinScores) -> dict[str, Metric]:
    """The four scores by name."""
    sides = np.repeat(np.arange(len(scores.group)), 2)
    return {
        "caption": proportion(scores.caption.ravel(), CHANCES["caption"], sides),
        "captions": proportion(scores.captions, CHANCES["captions"]),
        "images": proportion(scores.images, CHANCES["images"]),
        "group": proportion(scores.group, CHANCES["group"]),
    }


def _by_kind(scores: TwinScores, kinds: Sequence[str]) -> list[Numbers]:
    names = sorted(set(kinds))
    if len(names) < 2:
        return []
    tables = []
    for name in names:
        which = np.array([kind == name for kind in kinds])
        part = TwinScores(*(values[which] for values in (scores.caption, scores.captions, scores.images, scores.group)))
        said = name or "no kind"
        tables.append(
            Numbers(
                key=f"kind/{said}", title=f"{said}: {counted(which.sum(), 'pair')}", metrics=_metrics(part), words=WORDS
            )
        )
    return tables


def _outcomes(scores: TwinScores, rows: np.ndarray) -> dict[str, Outcome]:
    """What each twin contributed; both sides of a twin are resampled together."""
    first = rows[:, 0]
    single = {"captions": scores.captions, "images": scores.images, "group": scores.group}
    return {"caption": Outcome(scores.caption.ravel(), np.repeat(first, 2))} | {
        name: Outcome(values, first) for name, values in single.items()
    }


def _about_unread(count: int) -> tuple[str, ...]:
    return (f"{count:,} twins have an image that could not be read; left out.",) if count else ()


def _gallery(
    given: TaskInput, twins: Sequence[CaptionTwin], rows: np.ndarray, texts: np.ndarray, scores: TwinScores
) -> Gallery:
    right = scores.caption.ravel() > 0.5
    images = []
    for place in varied(np.arange(2 * len(twins)), right.astype(int), IMAGES_SHOWN):
        twin, side = twins[place // 2], place % 2
        row = rows[place // 2, side]
        shares = given.encoder.probabilities_of((given.embedded.vectors[row] @ texts[place // 2].T)[None])[0]
        guesses = [Guess(text=twin.captions[i], score=float(share), right=i == side) for i, share in enumerate(shares)]
        guesses.sort(key=lambda guess: -guess.score)
        images.append(NamedImage(key=given.embedded.pairs[row].key, label=twin.captions[side], guesses=guesses))
    return Gallery(
        title="Some of the images",
        explanation="Drawn at random, right and wrong by turns. Under each its own caption, then what the model said.",
        images=images,
    )
