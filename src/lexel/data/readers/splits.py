"""Splits: their names, and taking one of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from lexel.data.pairs import Pair
from lexel.errors import UsageError, did_you_mean

FOLDER_SPLITS = frozenset({"train", "val", "test"})
# restval: COCO's own val pictures that Karpathy gives to training, as all who use his splits do.
_SAME = {"training": "train", "valid": "val", "validation": "val", "dev": "val", "testing": "test", "restval": "train"}


@dataclass(slots=True)
class Reading:
    """Pairs as a reader found them, each with the split that it belongs to, if any."""

    pairs: list[Pair] = field(default_factory=list)
    splits: list[str | None] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def split_name(text: str) -> str:
    """The one name of a split that people write in several ways: "validation", "Valid" and "dev" are "val"."""
    name = text.strip().lower()
    return _SAME.get(name, name)


def take_split(
    reading: Reading, source: str, named: str | None, prefer: Sequence[str]
) -> tuple[list[Pair], str | None, list[str]]:
    """The pairs of the named split, else of the first preferred one that exists, else all; its name; what to say."""
    counts = Counter(reading.splits)
    known = {name: count for name, count in counts.items() if name is not None}
    listed = ", ".join(f"{name} {count:,}" for name, count in known.items())
    if named is None and not known:
        return reading.pairs, None, []
    if named is not None and split_name(named) not in known:
        has = f"It has: {listed}." if known else "It has no splits."
        raise UsageError(f'{source} has no split "{named}".{did_you_mean(named, known)}\n  {has}')
    chosen = split_name(named) if named else next((name for name in map(split_name, prefer) if name in known), None)
    if chosen is None and list(counts) == list(known) and len(known) == 1:
        return reading.pairs, next(iter(known)), [f'everything is in the split "{next(iter(known))}"']
    if chosen is None:
        return (
            reading.pairs,
            None,
            [f"all splits taken: {listed}; one of them is {source.rstrip('/')}/{next(iter(known))}"],
        )
    pairs = [pair for pair, split in zip(reading.pairs, reading.splits, strict=True) if split == chosen]
    others = "" if named else f" of {listed}; another is named by {source.rstrip('/')}/NAME"
    return pairs, chosen, [f'split "{chosen}" taken{others}']
