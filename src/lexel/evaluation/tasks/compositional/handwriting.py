"""Reading digits: written by hand, against printed ones in the same few cells. CLIP reads type better than writing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lexel.data.pairs import Source
from lexel.evaluation.classifier import label_embeddings
from lexel.evaluation.metrics.metric import Metric, best_positions, bootstrap, proportion
from lexel.evaluation.metrics.outcomes import Outcome
from lexel.evaluation.pictures.digits import EACH_DIGIT, draw_digits
from lexel.evaluation.report.gallery import varied
from lexel.evaluation.report.phrases import chance, interval, percent
from lexel.evaluation.report.sections import Gallery, Guess, NamedImage, Numbers, TaskSection
from lexel.evaluation.tasks.base import TaskInput, TaskRequest
from lexel.evaluation.tasks.compositional.luck import about_luck
from lexel.evaluation.texts.templates import templates
from lexel.terminal import counted

DIGITS = [str(digit) for digit in range(10)]
IMAGES_SHOWN = 8
WORDS = {
    "written": "Written by hand",
    "printed": "Printed, in the same eight by eight cells",
    "sharp": "Printed, at full sharpness",
    "gap": "Printed less written, in percentage points",
}


@dataclass(frozen=True, slots=True)
class Handwriting:
    """The task, which has its own pictures."""

    name: str = "handwriting"
    each: int = EACH_DIGIT
    needs: str = "nothing, it has its own pictures"

    def draw(self) -> Source:
        """The digits, written and printed."""
        return draw_digits(self.each)

    def fits(self, wanted: TaskRequest) -> bool:
        return wanted.source.name == self.name

    def measure(self, given: TaskInput) -> TaskSection:
        pairs = given.embedded.pairs
        texts = label_embeddings(given.encoder, DIGITS, "digits", given.embedded)
        truth = np.array([DIGITS.index(str(pair.label)) for pair in pairs])
        hits = best_positions(given.embedded.vectors, texts, truth[:, None].tolist()).hits_at(1)
        kinds = np.array([pair.key.partition("/")[0] for pair in pairs])
        rows = {kind: np.flatnonzero(kinds == kind) for kind in ("written", "printed", "sharp")}
        metrics = {kind: proportion(hits[which], 0.1) for kind, which in rows.items()}
        written, printed = metrics["written"], metrics["printed"]
        metrics["gap"] = _gap(hits[rows["printed"]], hits[rows["written"]])
        section = TaskSection(
            task=self.name,
            title="Probe: reading handwriting, and print",
            headline=(
                f"Reads {percent(written.value)} of handwritten digits ({interval(written)}) and "
                f"{percent(printed.value)} of printed ones ({interval(printed)}) in the same few cells; guessing would "
                f"give {chance(written)}."
            ),
            facts=(f"{counted(len(pairs), 'picture')} of digits",),
            warnings=about_luck("Reading handwritten digits", written),
            blocks=[
                Numbers(title=f"Of {len(rows['written']):,} digits each", metrics=metrics, words=WORDS),
                _gallery(given, hits, truth, kinds, texts),
            ],
            method=(
                "Handwriting: scikit-learn's handwritten digits, and the digits of sixteen fonts brought to the same "
                "eight by eight cells; white on black, with the prompt that CLIP was tested with on MNIST.",
            ),
            templates=templates("digits"),
            headline_metrics=["written", "printed"],
        )
        outcomes = {kind: Outcome(hits[which], which) for kind, which in rows.items()}
        return section.with_outcomes(outcomes).with_pictures({pair.key: pair.picture for pair in pairs})


def _gap(printed: np.ndarray, written: np.ndarray) -> Metric:
    """The difference of two accuracies on different pictures, in points, with an interval from resampling both."""
    both, count = np.concatenate([printed, written]), len(printed)

    def difference(weights: np.ndarray) -> float:
        of_print, of_writing = weights[:count], weights[count:]
        if not (of_print.sum() and of_writing.sum()):
            return 0.0
        of_each = (of_print @ both[:count]) / of_print.sum(), (of_writing @ both[count:]) / of_writing.sum()
        return 100 * float(of_each[0] - of_each[1])

    low, high = bootstrap(difference, np.arange(len(both)))
    value = 100 * float(printed.mean() - written.mean())
    return Metric(value=value, low=min(low, value), high=max(high, value), chance=0.0, unit="number")


def _gallery(given: TaskInput, hits: np.ndarray, truth: np.ndarray, kinds: np.ndarray, texts: np.ndarray) -> Gallery:
    turns = 2 * np.unique(kinds, return_inverse=True)[1] + (hits > 0.5)
    images = []
    for row in varied(np.arange(len(hits)), turns, IMAGES_SHOWN):
        shares = given.encoder.probabilities_of((given.embedded.vectors[row] @ texts.T)[None])[0]
        best = np.argsort(-shares, kind="stable")[:3]
        guesses = [Guess(text=DIGITS[i], score=float(shares[i]), right=bool(i == truth[row])) for i in best]
        images.append(
            NamedImage(key=given.embedded.pairs[row].key, label=f"{truth[row]}, {kinds[row]}", guesses=guesses)
        )
    return Gallery(
        title="Some of the digits",
        explanation="Drawn at random, right and wrong by turns. Under each the digit, then what the model said.",
        images=images,
    )
