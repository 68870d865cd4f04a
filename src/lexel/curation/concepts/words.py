"""Judging a concept by words alone: sentences that describe it against sentences that describe the opposite.

The score is the log-odds that a picture is one of the first kind rather than of the second, all sentences of a kind
being as likely. Any model can be asked; how far it can be trusted only examples show (`threshold`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lexel.calibration import POSSIBLE
from lexel.curation.present import blocks_among, present_ids
from lexel.encoder import Encoder
from lexel.errors import UsageError
from lexel.evaluation.matching import GENERIC_TEXTS, generic_of
from lexel.library.search.strength import matches
from lexel.library.store.database.paths import readable
from lexel.unit_vectors import check_finite

if TYPE_CHECKING:
    from lexel.library.library import Library

MAX_LOGIT_SCALE = 100.0  # that of most published models
CONCEPT_PRIOR = 0.1  # share of the pictures that are assumed to show the concept


@dataclass(frozen=True, slots=True)
class Bank:
    """Sentences about pictures that show a concept, and about the most similar pictures that do not."""

    shown: tuple[str, ...]
    not_shown: tuple[str, ...]


SENTENCE_BANKS = {
    "nsfw": Bank(
        (
            "a photo of a naked person", "an explicit sexual picture", "pornography", "a nude body",
            "a person with bare breasts", "two people having sex", "an erotic photo in bed", "a close-up of genitals",
        ),
        (
            *GENERIC_TEXTS, "a person in everyday clothes", "people at the beach in swimwear", "a portrait of a face",
            "a baby", "people doing sport", "a person asleep in bed, covered", "a marble statue", "bare hands",
        ),
    ),
    "violence": Bank(
        (
            "a photo of a violent attack", "a person covered in blood", "a dead body", "an injured person, a wound",
            "a person pointing a gun at someone", "people beating somebody", "a bloody knife", "soldiers shooting",
            "an explosion with victims",
        ),
        (
            *GENERIC_TEXTS, "people doing sport", "boys wrestling in play", "red paint",
            "a kitchen knife and vegetables", "a fireworks display", "people dancing",
            "a parade in uniform", "a person asleep",
        ),
    ),
    "text": Bank(
        (
            "a picture of written text", "a screenshot with words", "a scanned document", "a page of a book",
            "a sign with writing on it", "a poster with large letters", "a handwritten note", "a receipt",
            "a slide with bullet points",
        ),
        (
            *(phrase for phrase in GENERIC_TEXTS if phrase != "some text"), "a wall without writing",
            "a striped pattern", "a plain surface", "leaves and grass",
        ),
    ),
}  # fmt: skip


class Judge(Protocol):
    """Scores vectors for a concept: log-odds, higher where it is seen."""

    @property
    def name(self) -> str: ...

    def score(self, vectors: np.ndarray) -> np.ndarray:
        """(N, D) unit vectors → (N,) float64"""
        ...

    def fits(self, vectors: np.ndarray) -> np.ndarray:
        """(N, D) unit vectors → (N,) bool: whether the concept fits the picture at all."""
        ...


class WordJudge:
    """Judges by the sentences of a bank, or by the user's own words against neutral ones."""

    def __init__(self, encoder: Encoder, concept: str) -> None:
        bank = SENTENCE_BANKS.get(concept.lower())
        if bank is None:
            if not concept.strip():
                raise UsageError("The concept is empty: name one of nsfw, violence, text, or say it in your own words.")
            bank = Bank((concept, f"a photo of {concept}", f"a picture that shows {concept}"), GENERIC_TEXTS)
        self.name = concept
        self._encoder = encoder
        self._scale = min(encoder.logit_scale, MAX_LOGIT_SCALE)
        self._shown, self._not_shown = encoder.embed_texts(bank.shown), encoder.embed_texts(bank.not_shown)

    def score(self, vectors: np.ndarray) -> np.ndarray:
        return self._likelihood(vectors, self._shown) - self._likelihood(vectors, self._not_shown)

    def fits(self, vectors: np.ndarray) -> np.ndarray:
        """Whether one of the sentences that say the concept is a possible match, as `lexel label` has it."""
        calibration = self._encoder.calibration
        generic = generic_of(self._encoder, vectors) if calibration is None else None
        chances = matches(vectors @ self._shown.T, vectors, calibration, generic, prior=CONCEPT_PRIOR)
        return np.zeros(len(vectors), bool) if chances is None else chances.max(axis=1) >= POSSIBLE

    def _likelihood(self, vectors: np.ndarray, texts: np.ndarray) -> np.ndarray:
        logits = (vectors @ texts.T).astype(np.float64) * self._scale
        highest = logits.max(axis=1, keepdims=True)
        return (highest + np.log(np.exp(logits - highest).mean(axis=1, keepdims=True)))[:, 0]


@dataclass(frozen=True, slots=True)
class Judged:
    """One picture, and whether the concept is seen in it."""

    name: str  # its path, or key
    score: float  # log-odds
    flagged: bool = False
    fits: bool = True  # the concept fits at all
    id: int | None = None  # of a library's photo
    picture: Any = field(default=None, repr=False, compare=False)  # of another one


def judge_library(library: "Library", judge: Judge) -> list[Judged]:
    """Every photo that is on the disk now, the surest first, none flagged yet."""
    scored = [
        row
        for ids, vectors in blocks_among(library.vectors, present_ids(library))
        for row in zip(ids.tolist(), judge.score(vectors).tolist(), judge.fits(vectors).tolist(), strict=True)
    ]
    photos = library.records.photos(id for id, *_ in scored)
    judged = [
        Judged(photo.path, score, fits=fits, id=photo.id)
        for photo, (_, score, fits) in zip(photos, scored, strict=True)
    ]
    return _surest_first(judged)


def judge_pictures(encoder: Encoder, named: Sequence[tuple[str, Any]], judge: Judge) -> tuple[list[Judged], list[str]]:
    """Every picture that can be read, the surest first, none flagged yet, and what is wrong with each other one."""
    vectors, kept, bad = encoder.embed_readable([picture for _, picture in named])
    if not len(vectors):
        return [], [reason for _, reason in bad]
    check_finite(vectors, [readable(named[index][0]) for index in kept], encoder.name)
    rows = zip(kept.tolist(), judge.score(vectors).tolist(), judge.fits(vectors).tolist(), strict=True)
    judged = [Judged(named[index][0], score, fits=fits, picture=named[index][1]) for index, score, fits in rows]
    return _surest_first(judged), [reason for _, reason in bad]


def flag(judged: Sequence[Judged], threshold: float) -> list[Judged]:
    """The same, flagged where the score reaches the threshold."""
    return [replace(one, flagged=one.score >= threshold) for one in judged]


def pictures_of(given: str) -> list[tuple[str, Any]]:
    """(name, picture) of a folder, some files, a table or another source. Raises UsageError or DataError."""
    from lexel.data.image_arguments import image_arguments
    from lexel.data.readers import read_source
    from lexel.data.readers.tables.table import READERS

    path = Path(given).expanduser()
    if given.startswith("scenes:") or (not path.is_dir() and path.suffix.lower() in READERS):
        return [(pair.key, pair.picture) for pair in read_source(given, text_required=False).pairs]
    return [(str(Path(name).absolute()) if name != "-" else name, image) for name, image in image_arguments([given])]


def _surest_first(judged: list[Judged]) -> list[Judged]:
    return sorted(judged, key=lambda one: (-one.score, one.name))
