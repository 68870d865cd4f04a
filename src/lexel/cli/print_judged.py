"""How texts that were held against an image look on standard output."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from lexel.terminal import counted, one_line

if TYPE_CHECKING:
    from lexel.evaluation.ranking import JudgedText

BAR_LENGTH = 20  # characters


def print_judged(judged: "Sequence[JudgedText]", compared: int, indent: str = "") -> None:
    """A line for each text, best first: probability and bar where `compared` texts are two or more, match, the text."""
    for text in judged:
        filled = round(text.probability * BAR_LENGTH)
        share = f"{text.probability:7.1%}  {'█' * filled:<{BAR_LENGTH}}  " if compared > 1 else ""
        print(f"{indent}{share}match {text.match:4.0%} {text.strength:<8}  {one_line(text.text)}")


def judged_as_json(judged: "JudgedText", name: str) -> dict[str, Any]:
    """The text under this name, with its numbers."""
    return {
        name: judged.text,
        "probability": judged.probability,
        "match": judged.match,
        "strength": judged.strength,
    }


def note_on_percentages(answers: "Iterable[Sequence[JudgedText]]", compared: int, what: str) -> str | None:
    """What the numbers do not say: that nothing fits, or that there was nothing to compare. None where all is well."""
    listed = list(answers)
    without = sum(all(text.strength == "unlikely" for text in judged) for judged in listed)
    if compared == 1:
        return f"With one {what} there is nothing to compare; match is the probability that it fits at all."
    if not without:
        return None
    if len(listed) == 1:
        result = f"None of the {what}s fits well."
    else:
        result = f"No {what} fits {without:,} of {counted(len(listed), 'image')} well."
    return f"{result} Percentages only compare the {what}s given; match says if one fits."
