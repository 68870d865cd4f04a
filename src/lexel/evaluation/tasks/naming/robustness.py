"""Robustness: how much zero-shot accuracy falls when the same pictures are damaged, by kind and strength."""

from __future__ import annotations

import zlib

import numpy as np

from lexel.data.pairs import Pair
from lexel.evaluation.metrics.metric import best_positions, grouped_mean, proportion
from lexel.evaluation.metrics.outcomes import Outcome
from lexel.evaluation.pictures.corruptions import CORRUPTIONS, STRENGTHS, CorruptedPicture
from lexel.evaluation.report.gallery import varied
from lexel.evaluation.report.phrases import interval, percent
from lexel.evaluation.report.sections import Chart, Line, Numbers, TaskSection
from lexel.evaluation.tasks.base import TaskInput, TaskRequest
from lexel.progress import track
from lexel.terminal import counted

MAX_IMAGES = 500  # each of which is damaged and embedded thirty times
WORDS = {
    "clean": "Undamaged",
    "corrupted": "Mean over all damage",
    **{name: f"With {name}, mean over five strengths" for name in CORRUPTIONS},
}


class Robustness:
    """The task: two labels or more, and images that carry them."""

    name = "robustness"
    needs = "two labels"

    def fits(self, wanted: TaskRequest) -> bool:
        return bool(wanted.source.labels) and len(wanted.candidates) >= 2

    def measure(self, given: TaskInput) -> TaskSection:
        rows, truth, count = _sample(given)
        pairs = [given.embedded.pairs[row] for row in rows]
        clean, by_strength = _hits(given, pairs, rows, truth)
        of_kind = {name: np.mean([by_strength[name, s] for s in STRENGTHS], axis=0) for name in CORRUPTIONS}
        corrupted = np.mean(list(of_kind.values()), axis=0)
        guess, groups = 1 / count, np.arange(len(rows))
        metrics = {"clean": proportion(clean, guess), "corrupted": grouped_mean(corrupted, groups, guess)}
        metrics |= {name: grouped_mean(values, groups, guess) for name, values in of_kind.items()}
        worst = min(of_kind, key=lambda name: of_kind[name].mean())
        drop = 100 * (clean.mean() - corrupted.mean())
        section = TaskSection(
            task=self.name,
            title="What damage to the pictures does (robustness)",
            headline=(
                f"Damaged pictures are named right {percent(metrics['corrupted'].value)} of the time "
                f"({interval(metrics['corrupted'])}), {abs(drop):.1f} points {'less' if drop >= 0 else 'more'} than "
                f"undamaged ones; {worst} harms most."
            ),
            warnings=_about_sample(given, len(rows)),
            blocks=[
                Numbers(title=f"Of {counted(len(rows), 'image')}", metrics=metrics, words=WORDS),
                Chart(
                    title="Accuracy by the strength of the damage",
                    explanation="Strength 0 is the undamaged picture.",
                    x_label="strength",
                    y_label="accuracy, %",
                    lines=[_line(name, clean, by_strength) for name in CORRUPTIONS],
                    references=(("guessing", 100 * guess),),
                ),
            ],
            method=(
                "Robustness: noise, Gaussian blur, JPEG, contrast, downscaling and rotation, each at five strengths "
                "relative to the picture's size, after ImageNet-C; zero-shot with the same prompts.",
            ),
            headline_metrics=["corrupted"],
        )
        outcomes = {"clean": clean, "corrupted": corrupted} | of_kind
        return section.with_outcomes({name: Outcome(values, rows) for name, values in outcomes.items()})


def _sample(given: TaskInput) -> tuple[np.ndarray, np.ndarray, int]:
    """Rows of at most MAX_IMAGES labelled images, of all classes alike; their classes; the number of classes."""
    pairs = given.embedded.pairs
    column = {label: i for i, label in enumerate(_labels(given))}
    labelled = np.array([row for row, pair in enumerate(pairs) if pair.label in column])
    truth = np.array([column.get(str(pair.label), -1) for pair in pairs])
    rows = np.sort(np.array(varied(labelled, truth, MAX_IMAGES)))
    return rows, truth[rows], len(column)


def _labels(given: TaskInput) -> list[str]:
    occurring = sorted({pair.label for pair in given.embedded.pairs if pair.label is not None})
    return list(given.labels) if given.labels is not None else occurring


def _hits(
    given: TaskInput, pairs: list[Pair], rows: np.ndarray, truth: np.ndarray
) -> tuple[np.ndarray, dict[tuple[str, int], np.ndarray]]:
    """(N,) hits on the undamaged pictures, and by (corruption, strength). What cannot be read any more is a miss."""
    texts = given.embed_labels(_labels(given))

    def hits(vectors: np.ndarray, kept: np.ndarray) -> np.ndarray:
        found = np.zeros(len(rows))
        if len(kept):
            found[kept] = best_positions(vectors, texts, truth[kept][:, None].tolist()).hits_at(1)
        return found

    clean = hits(given.embedded.vectors[rows], np.arange(len(rows)))
    by_strength = {}
    settings = [(name, strength) for name in CORRUPTIONS for strength in STRENGTHS]
    for name, strength in track(settings, "Embedding damaged pictures"):
        damaged = [CorruptedPicture(pair.picture, name, strength, _seed(pair, name, strength)) for pair in pairs]
        vectors, kept, _ = given.encoder.embed_readable(damaged, what=None)
        by_strength[name, strength] = hits(vectors, kept)
    return clean, by_strength


def _seed(pair: Pair, name: str, strength: int) -> int:
    """The same damage for the same picture, whatever else is measured."""
    return zlib.crc32(f"{pair.key}\0{name}\0{strength}".encode())


def _line(name: str, clean: np.ndarray, by_strength: dict[tuple[str, int], np.ndarray]) -> Line:
    values = [clean.mean(), *(by_strength[name, strength].mean() for strength in STRENGTHS)]
    return Line(name=name, x=[0.0, *map(float, STRENGTHS)], y=[round(100 * float(value), 2) for value in values])


def _about_sample(given: TaskInput, measured: int) -> tuple[str, ...]:
    labelled = sum(pair.label is not None for pair in given.embedded.pairs)
    if labelled <= measured:
        return ()
    return (f"Robustness was measured on {measured:,} of {labelled:,} labelled images, of all classes alike.",)
