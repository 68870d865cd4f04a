"""Which text is shown for a pair, and what it means: texts that mean the same are never each other's negatives."""

from collections.abc import Sequence

import numpy as np

from lexel.data.pairs import Pair

NO_TEXT = ""  # stands for the text of a picture of which nothing is said


def says_something(pair: Pair) -> bool:
    """Whether the pair has a caption or a label."""
    return bool(pair.captions or pair.label)


def draw_caption(
    pair: Pair, templates: Sequence[str], label_share: float, random: np.random.Generator
) -> tuple[str, str]:
    """One of the pair's captions or its label in one of the templates, or NO_TEXT where it has neither; and what it
    means.

    Two texts of equal meaning are never each other's negatives: equal captions, the same label in two templates, or a
    caption that says nothing but its label in one of them.
    """
    if not says_something(pair):
        return NO_TEXT, "nothing"
    says_only = {} if pair.label is None else {_folded(fill(t, pair.label)): pair.label for t in templates}
    if pair.captions and (pair.label is None or random.random() >= label_share):
        caption = pair.captions[_drawn(pair, random)]
        folded = _folded(caption)
        return caption, meaning_of_label(says_only[folded]) if folded in says_only else f"caption {folded}"
    label = pair.label or ""
    return fill(templates[int(random.integers(len(templates)))], label), meaning_of_label(label)


def _drawn(pair: Pair, random: np.random.Generator) -> int:
    if not pair.caption_weights:
        return int(random.integers(len(pair.captions)))
    ends = np.cumsum(pair.caption_weights)
    return min(int(np.searchsorted(ends, random.random() * ends[-1], side="right")), len(ends) - 1)


def fill(template: str, label: str) -> str:
    """The template with the label put in place of every {}."""
    return template.replace("{}", label)


def _folded(caption: str) -> str:
    return " ".join(caption.lower().split())


def meaning_of_label(label: str) -> str:
    return f"label {label.lower()}"
