"""What a model says of the result: the guiding one, and a second one that had no part in it.

Guidance raises the guiding model's cosine by whatever means, noise included, so that model's word is flattered. A model
that was trained independently is not fooled by the same noise, and says whether the picture shows what was asked for.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lexel.encoder import Encoder
from lexel.errors import UsageError
from lexel.evaluation.report.drawn_scenes import about_drawn_scenes
from lexel.generation.guidance.goals import Goal, Wish, goals_of

FRAMING = {"a", "an", "the", "of", "photo", "picture", "drawing", "painting", "sketch", "image"}


@dataclass(frozen=True, slots=True)
class GoalScore:
    """How near a picture came to one thing that was wanted."""

    kind: str  # text, picture or change
    wanted: str
    before: float | None  # cosine of the start; None for a change, which begins there
    after: float  # cosine of the result; for a change that of the way the picture went with the way of the texts
    match: float | None  # calibrated probability that the text and the result belong together
    rank: int | None  # of the text among the distractors, 1 the best; a tie counts against it
    of: int | None  # how many texts were ranked


@dataclass(frozen=True, slots=True)
class ModelScores:
    """What one model says."""

    model: str
    goals: list[GoalScore]

    def as_json(self) -> dict[str, Any]:
        return {"model": self.model, "goals": [asdict(goal) for goal in self.goals]}

    def lines(self) -> list[str]:
        """In words, a line for each goal."""
        return [_in_words(goal) for goal in self.goals]


class Panel:
    """One model's goals and distractors, embedded before the guidance begins so that mistakes are found in time."""

    def __init__(self, wish: Wish, encoder: Encoder, distractors: Sequence[str]) -> None:
        self.encoder = encoder
        self.goals = goals_of(wish, encoder)
        shown = [text for text in (wish.text, wish.change and wish.change[1]) if text]
        others = [text for text in distractors if not any(_overlap(text, wanted) for wanted in shown)]
        ranked = any(goal.shown is not None for goal in self.goals)
        self.distractors = encoder.embed_texts(others) if others and ranked else None  # (M, D)

    def best(self, pictures: Sequence[Image.Image]) -> int:
        """Which of the pictures fits the goals best; those of a change, what it leads to."""
        vectors = self.encoder.embed_images(pictures)
        targets = [goal.target if goal.shown is None else goal.shown for goal in self.goals]
        return int((vectors @ np.stack(targets).T).sum(1).argmax())

    def judge(self, before: Image.Image, after: Image.Image) -> ModelScores:
        """The scores of a result, beside the picture that guidance began with."""
        first, last = self.encoder.embed_images([before, after])
        return ModelScores(self.encoder.name, [self._score(goal, first, last) for goal in self.goals])

    def _score(self, goal: Goal, first: np.ndarray, last: np.ndarray) -> GoalScore:
        match = rank = of = None
        if goal.shown is not None:
            fit = float(last @ goal.shown)
            if self.encoder.calibration is not None:
                match = float(self.encoder.match_of(np.array(fit)))
            if self.distractors is not None:
                rank, of = 1 + int((self.distractors @ last >= fit).sum()), 1 + len(self.distractors)
        if goal.kind == "change":
            moved = last - first
            after = float(moved @ goal.target / max(float(np.linalg.norm(moved)), 1e-6))
            return GoalScore(goal.kind, goal.wanted, None, after, match, rank, of)
        before, after = float(first @ goal.target), float(last @ goal.target)
        return GoalScore(goal.kind, goal.wanted, before, after, match, rank, of)


def check_judge(judge: Encoder, guiding: Encoder) -> None:
    """Raise UsageError where the judge is the guiding model itself."""
    if judge.fingerprint == guiding.fingerprint:
        raise UsageError(
            f"The judge is the guiding model itself ({guiding.fingerprint}), whose word on its own work is flattered.\n"
            "  Give a model that was trained independently: another seed, architecture or data."
        )


def read_distractors(path: Path) -> list[str]:
    """The texts in a file, one a line. Raises UsageError where there are none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"{path} cannot be read: {reason}. Give a file of texts, one a line.") from None
    texts = [line.strip() for line in lines if line.strip()]
    if not texts:
        raise UsageError(f"{path} holds no texts. Give a file of texts, one a line.")
    return texts


def default_distractors(encoder: Encoder) -> list[str]:
    """Texts to rank a prompt among: everyday things and scenes or, for a model of drawn scenes, coloured shapes."""
    if about_drawn_scenes(encoder):
        from lexel.data.scenes.source import all_labels

        return [f"a {label}" for label in all_labels()]
    return list(_everyday())


@cache
def _everyday() -> tuple[str, ...]:
    content = Path(__file__).with_name("distractors.txt").read_text(encoding="utf-8")
    return tuple(line for line in content.splitlines() if line)


def _overlap(text: str, other: str) -> bool:
    """Whether one text says all that the other says, so that one picture may well show both."""
    said, wanted = _words(text), _words(other)
    return said <= wanted or (bool(wanted) and wanted <= said)


def _words(text: str) -> set[str]:
    """The words that say what a picture shows."""
    return {word.strip(".,") for word in text.lower().split()} - FRAMING


def _in_words(goal: GoalScore) -> str:
    parts = [f"cosine {goal.before:.3f} → {goal.after:.3f}" if goal.before is not None else f"cosine {goal.after:.3f}"]
    if goal.match is not None:
        parts.append(f"match {goal.match:.0%}")
    if goal.rank is not None:
        parts.append(f"rank {goal.rank} of {goal.of}")
    return f"{goal.wanted}: {', '.join(parts)}"
