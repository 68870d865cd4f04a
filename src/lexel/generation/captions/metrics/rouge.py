"""ROUGE-L (Lin 2004): the longest common subsequence of words, of a caption and each of its references."""

from collections.abc import Sequence

BETA = 1.2  # weight of recall over precision, as COCO's evaluation has it


def rouge_l(caption: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """In 0..1: the F-measure of the best precision and the best recall over the references."""
    common = [common_subsequence(caption, reference) for reference in references]
    if not caption or not any(common):
        return 0.0
    precision = max(common) / len(caption)
    recall = max(length / len(one) for length, one in zip(common, references, strict=True) if one)
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """The length of the longest sequence of words that both have in this order, gaps allowed."""
    lengths = [0] * (len(other) + 1)
    for word in one:
        diagonal = 0
        for place, wanted in enumerate(other, start=1):
            above = lengths[place]
            lengths[place] = diagonal + 1 if word == wanted else max(above, lengths[place - 1])
            diagonal = above
    return lengths[-1]
