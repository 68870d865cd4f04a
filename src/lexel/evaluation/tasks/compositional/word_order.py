"""Whether the order of a caption's words matters: each caption against itself in another order (ARO's order probe).

A model that reads a caption as a bag of words scores at chance. ARO's two other orders need a part-of-speech tagger; a
file of its choices can be measured with `aro:FILE`.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from lexel.data.pairs import Source
from lexel.evaluation.published.probe_source import CaptionChoice
from lexel.evaluation.report.phrases import chance, interval, percent
from lexel.evaluation.report.sections import TaskSection
from lexel.evaluation.tasks.base import TaskInput, TaskRequest
from lexel.evaluation.tasks.compositional.caption_choices import measure_choices
from lexel.terminal import counted

MAX_IMAGES = 2_000  # drawn at random
FEWEST_WORDS = 4
ORDERS = ("all_words", "trigrams", "within_trigrams")


class WordOrder:
    """The task: captions of four words or more."""

    name = "word_order"
    needs = "captions of four words or more"

    def fits(self, wanted: TaskRequest) -> bool:
        return any(len(caption.split()) >= FEWEST_WORDS for pair in wanted.source.pairs for caption in pair.captions)

    def measure(self, given: TaskInput) -> TaskSection:
        found = measure_choices(given, _choices(given.embedded.source, given.seed))
        return TaskSection(
            task=self.name,
            title="Whether the order of words matters",
            headline=(
                f"A caption is told from the same words in another order {percent(found.overall.value)} of the time "
                f"({interval(found.overall)}); guessing would give {chance(found.overall)}."
            ),
            facts=(f"{counted(len(found.choices), 'caption')} in another order",),
            warnings=found.warnings,
            blocks=[*found.tables, found.gallery],
            method=(
                f"Word order: the first caption of four words or more of at most {MAX_IMAGES:,} images, against the "
                "same words shuffled, its groups of three words shuffled, and the words within these groups shuffled, "
                "as in ARO.",
            ),
            headline_metrics=["accuracy"],
        ).with_outcomes(found.outcomes)


def _choices(source: Source, seed: int) -> list[CaptionChoice]:
    captions = {
        pair.key: next((text for text in pair.captions if len(text.split()) >= FEWEST_WORDS), None)
        for pair in source.pairs
    }
    keys = [key for key, caption in captions.items() if caption is not None]
    drawn = np.sort(np.random.default_rng(seed).permutation(len(keys))[:MAX_IMAGES])
    choices = []
    for key in (keys[i] for i in drawn):
        caption = " ".join(str(captions[key]).split())
        for order in ORDERS:
            shuffled = reordered(caption, order, zlib.crc32(f"{key}\0{order}".encode()))
            if shuffled is not None:
                choices.append(CaptionChoice(key, caption, (shuffled,), order))
    return choices


def reordered(caption: str, order: str, seed: int) -> str | None:
    """The same words in another order; None where there is no other one."""
    words = caption.split()
    random = np.random.default_rng(seed)
    groups = [words[start : start + 3] for start in range(0, len(words), 3)]
    match order:
        case "all_words":
            found = _shuffled(words, random)
        case "trigrams":
            found = [word for group in _shuffled(groups, random) for word in group]
        case _:
            found = [word for group in groups for word in _shuffled(group, random)]
    return " ".join(found) if found != words else None


def _shuffled(items: Sequence, random: np.random.Generator) -> list:
    """The items in another order, where there is one that reads otherwise."""
    for _ in range(20):
        found = [items[i] for i in random.permutation(len(items))]
        if found != list(items):
            return found
    return list(items)
