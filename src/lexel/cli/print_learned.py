"""What a classifier has learned from examples, for people."""

from typing import TYPE_CHECKING

from lexel.terminal import counted

if TYPE_CHECKING:
    from lexel.evaluation.few_shot.learned import Learned


def learned_in_words(learned: "Learned") -> str:
    """How many examples there were, and what to expect beside zero-shot."""
    from lexel.evaluation.report.phrases import interval, percent

    examples, seen, classes = learned.counts
    of_labels = counted(classes, "label") if seen == classes else f"{seen:,} of {counted(classes, 'label')}"
    zero_shot = f"{percent(learned.zero_shot.value)} ({interval(learned.zero_shot)})"
    said = f"Learned from {counted(examples, 'picture')} of {of_labels}.\n"
    if learned.expected is None:
        return (
            f"{said}Zero-shot names {zero_shot} of them right. One picture a label leaves none to check by: "
            "a cautious strength was taken."
        )
    if learned.strengths.none:
        return f"{said}Zero-shot names {zero_shot} of them right, and nothing learned from them does better: it stays."
    expected = f"{percent(learned.expected.value)} ({interval(learned.expected)})"
    return f"{said}Expected right of new pictures like these: {expected}, with 95 % interval; zero-shot {zero_shot}."
