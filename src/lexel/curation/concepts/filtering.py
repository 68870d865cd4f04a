"""Filtering the pictures of a library, a folder or another source by a concept, and learning one from examples."""

import csv
import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lexel.curation.concepts.head import Head, is_head, train_head
from lexel.curation.concepts.threshold import FALSE_POSITIVE_RATE, FalsePositives, choose_threshold, outstanding
from lexel.curation.concepts.words import Judge, Judged, WordJudge, flag, judge_library, judge_pictures, pictures_of
from lexel.encoder import Encoder
from lexel.errors import UsageError
from lexel.evaluation.report.drawn_scenes import about_drawn_scenes
from lexel.files import write_atomically
from lexel.library.library import Library
from lexel.library.search.model_check import say_if_model_tells_nothing
from lexel.library.store.database.paths import readable
from lexel.library.store.database.schema import DATABASE
from lexel.loading import ModelChoice
from lexel.progress import say
from lexel.unit_vectors import check_finite

# Without measured examples nothing is flagged in these cases: some picture always scores highest.
USELESS_MODEL = "The model knows nothing about these pictures, so none is flagged."
NOTHING_FITS = (
    "The concept fits none of them, as far as the model knows. To flag what comes nearest, give --clean pictures "
    "without it."
)


@dataclass(frozen=True)
class Filtered:
    """The scores and flags that a filter gave to pictures."""

    name: str  # of the concept
    judged: list[Judged]  # the surest first
    threshold: float  # log-odds
    false_positives: FalsePositives | None  # where it has been measured
    bad: list[str]  # what could not be read
    why_none: str | None  # why nothing is flagged whatever it scores
    library: Library | None  # that they are in, open

    @property
    def measured(self) -> str:
        """How far the flags can be trusted, in a sentence."""
        if self.why_none is not None:
            return self.why_none
        if self.false_positives is None:
            return "How many are flagged wrongly is not known: give --clean pictures without it."
        return f"On examples kept apart, {self.false_positives}."


@contextmanager
def filtered(
    photos: str,
    concept: str,
    choice: ModelChoice | None = None,
    clean: str | None = None,
    rate: float = FALSE_POSITIVE_RATE,
) -> Iterator[Filtered]:
    """Judge all pictures of a library, folder or source by a head's folder, a bank's name, or the user's own words.

    `clean` are pictures without the concept, by which the threshold is chosen at that `rate` of false positives; else
    it is the head's own, or what stands out among these pictures is flagged, if the concept fits any of them at all and
    the model knows anything about them. Raises UsageError, and ModelError for a
    head of another model.
    """
    with ExitStack() as stack:
        head = named_head(concept)
        is_library = (Path(photos).expanduser() / DATABASE).is_file()
        library = stack.enter_context(Library.open(photos, choice)) if is_library else None
        if head and library:
            head.check(library.records.fingerprint)
        needs_model = head is None or library is None or clean is not None
        encoder = _encoder(library, choice, head) if needs_model else None
        if head and encoder:
            head.check(encoder.fingerprint)
        judge: Judge = head if head is not None else WordJudge(_there(encoder), concept)
        bad: list[str] = []
        measured: FalsePositives | None = None
        if library:
            judged = judge_library(library, judge)
        else:
            judged, bad = judge_pictures(_there(encoder), pictures_of(photos), judge)
        if clean is not None:
            known, unreadable = judge_pictures(_there(encoder), pictures_of(clean), judge)
            bad += unreadable
            if not known:
                raise UsageError(f"None of the pictures in {clean} can be read.")
            threshold, measured = choose_threshold(_scores(known), rate)
        elif head:
            threshold, measured = head.facts.threshold, head.facts.false_positives
        else:
            threshold = outstanding(_scores(judged))
        why_none = None
        if measured is None:
            useless = _say_if_useless(library, encoder)
            why_none = USELESS_MODEL if useless else None if any(one.fits for one in judged) else NOTHING_FITS
        flagged = judged if why_none else flag(judged, threshold)
        yield Filtered(judge.name, flagged, threshold, measured, bad, why_none, library)


def named_head(concept: str) -> Head | None:
    """The trained concept in that folder; None for words. Raises UsageError where a folder was meant that is none."""
    if is_head(Path(concept)):
        return Head.load(Path(concept))
    if "/" in concept:  # meant as a path, and would be taken for the user's own words
        raise UsageError(
            f"There is no trained concept in {concept}. To train one:\n"
            "  lexel concept train NAME --yes FOLDER --no FOLDER --model MODEL -o FOLDER"
        )
    return None


def judge_of(concept: str, encoder: Encoder) -> Judge:
    """Who judges the concept: a head's folder, a bank's name, or the user's own words. ModelError for another model."""
    head = named_head(concept)
    if head is None:
        return WordJudge(encoder, concept)
    head.check(encoder.fingerprint)
    return head


def flag_vectors(judge: Judge, vectors: np.ndarray) -> tuple[np.ndarray, float, str | None]:
    """Which pictures (N,) show the concept, the threshold in log-odds, and why none is flagged if none can be."""
    scores = judge.score(vectors)
    threshold = judge.facts.threshold if isinstance(judge, Head) else outstanding(scores)
    if not judge.fits(vectors).any():
        return np.zeros(len(vectors), bool), threshold, NOTHING_FITS
    return scores >= threshold, threshold, None


def _say_if_useless(library: Library | None, encoder: Encoder | None) -> bool:
    """Whether the model is certainly of no use for a library's photos; prints what was measured."""
    if library is not None:
        return say_if_model_tells_nothing(library)
    if warning := about_drawn_scenes(_there(encoder)):
        say(warning)
    return False


def train_from(
    name: str, yes: str, no: str, choice: ModelChoice, rate: float = FALSE_POSITIVE_RATE
) -> tuple[Head, list[str]]:
    """Train a head on two folders or sources of examples; also returns the unreadable ones. Raises UsageError."""
    given = pictures_of(yes), pictures_of(no)
    encoder = choice.load()
    vectors, bad = [], []
    for named in given:
        found, kept, unreadable = encoder.embed_readable([picture for _, picture in named])
        check_finite(found, [readable(named[index][0]) for index in kept], encoder.name)
        vectors.append(found)
        bad += [reason for _, reason in unreadable]
    return train_head(encoder, name, *vectors, model=choice.for_later().model, rate=rate), bad


def write_scores(path: Path, found: Filtered) -> None:
    """A CSV with a row for each picture: path, score, flagged. Raises OSError."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["path", "score", "flagged"])
    writer.writerows([readable(one.name), f"{one.score:.4f}", int(one.flagged)] for one in found.judged)
    write_atomically(path, text.getvalue())


def _encoder(library: Library | None, choice: ModelChoice | None, head: Head | None) -> Encoder:
    if library is not None:
        return library.encoder
    if choice is None and head is not None and head.facts.model is not None:
        choice = ModelChoice(head.facts.model)
    if choice is None:
        raise UsageError("Pictures outside a library need a model: --model MODEL, such as ViT-B-32/openai.")
    return choice.load()


def _scores(judged: list[Judged]) -> np.ndarray:
    return np.array([one.score for one in judged])


def _there(encoder: Encoder | None) -> Encoder:
    assert encoder is not None
    return encoder
