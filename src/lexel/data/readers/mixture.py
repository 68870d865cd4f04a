"""`mix:0.7*photos/,0.3*shop.csv`: several sources, each with its share of the samples that training sees."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lexel.errors import UsageError

PREFIX = "mix:"
_NEXT = re.compile(r",(?=\s*\d*\.?\d+\s*\*)")  # a comma before a share: others belong to names
_PART = re.compile(r"\s*(?P<share>\d*\.?\d+)\s*\*\s*(?P<source>\S.*?)\s*")


@dataclass(frozen=True, slots=True)
class MixturePart:
    """One source of a mixture and its share, of 1."""

    share: float
    source: str


def mixture_parts(text: str) -> tuple[MixturePart, ...]:
    """The parts of a mixture, their shares made to sum to 1; none where the text names no mixture. Raises UsageError.

    mixture_parts("mix:2*a/,1*b.csv")  →  (MixturePart(0.667, "a/"), MixturePart(0.333, "b.csv"))
    """
    if not text.startswith(PREFIX):
        return ()
    found = [_PART.fullmatch(part) for part in _NEXT.split(text[len(PREFIX) :])]
    named = [(float(part["share"]), part["source"]) for part in found if part is not None]
    if len(named) < len(found) or not all(share > 0 for share, _ in named):
        raise UsageError(f'"{text}" is not a mixture. Write shares and sources: mix:0.7*photos/,0.3*shop.csv')
    if any(source.startswith(PREFIX) for _, source in named):
        raise UsageError(f'"{text}": a mixture cannot contain another mixture. Name all sources in one.')
    total = sum(share for share, _ in named)
    return tuple(MixturePart(share / total, source) for share, source in named)


def sample_counts(sizes: Sequence[int], shares: Sequence[float]) -> list[int]:
    """How many samples of an epoch come from each source: as many in all as there are pairs, one of each at least.

    What is left after rounding down goes to those that lost most, the first of equal ones.

        sample_counts([1000, 50], [0.5, 0.5])  →  [525, 525]
    """
    total = sum(sizes)
    exact = [share * total for share in shares]
    counts = [int(one) for one in exact]
    lost = sorted(range(len(sizes)), key=lambda place: (counts[place] - exact[place], place))
    for place in lost[: total - sum(counts)]:
        counts[place] += 1
    return [max(1, count) for count in counts]
