"""Which pictures are nearly the same, among many: candidates by their hashes, then judged by their prints.

Two hashes within MAX_BITS of each other agree on at least one of BANDS bands (the pigeonhole principle), so only
pictures that share a band are compared: none is missed, and a million are searched in minutes. Groups are stars:
everything in one is like the picture that is kept, not merely like a neighbour, so a series never chains together what
differs.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lexel.data.picture_print import HASH_BITS, MIRRORED, print_likeness, unit_prints

MAX_BITS = 6  # of HASH_BITS, by which the hashes of near copies differ at most
BANDS = MAX_BITS + 1
BAND_BITS = HASH_BITS // BANDS
LIKENESS = 0.98  # of prints: JPEG at quality 50 and half the size keep more, look-alike products have less
ROWS_AT_ONCE = 1024  # of a block of hashes that are compared with all that share a band
PAIRS_AT_ONCE = 20_000  # whose prints are compared at a time


@dataclass(frozen=True, slots=True)
class Star:
    """A group: its centre, and the others with their likeness to it."""

    centre: int
    others: tuple[int, ...]
    likeness: tuple[float, ...]


class DisjointSets:
    """Union-find with halved paths (Tarjan & van Leeuwen 1984); the least member of a set is its root."""

    def __init__(self, members: Iterable[int]) -> None:
        self._parent = {member: member for member in members}

    def root(self, member: int) -> int:
        """The same one for all members of a set."""
        parent = self._parent
        while parent[member] != member:
            parent[member] = parent[parent[member]]
            member = parent[member]
        return member

    def roots(self, members: np.ndarray) -> np.ndarray:
        """The roots of the members (N,)."""
        different, which = np.unique(members, return_inverse=True)
        return np.array([self.root(member) for member in different.tolist()], np.int64)[which]

    def join(self, a: int, b: int) -> None:
        """Make one set of the two sets."""
        a, b = self.root(a), self.root(b)
        self._parent[max(a, b)] = min(a, b)

    def sets(self) -> list[list[int]]:
        """All sets, each in the order in which its members were given."""
        sets: dict[int, list[int]] = defaultdict(list)
        for member in self._parent:
            sets[self.root(member)].append(member)
        return list(sets.values())


def near_groups(hashes: np.ndarray, prints: np.ndarray, prefer: np.ndarray, at_least: float = LIKENESS) -> list[Star]:
    """Groups of near copies, each around the one that comes first in `prefer`.

    hashes (N,) uint64, prints uint8 (N, S, S, 3), prefer (N,) indices, the best first. Flat pictures, whose hashes say
    nothing, should be left out before.
    """
    sets = DisjointSets(range(len(hashes)))
    for ones, others in similar_prints(hash_pairs(hashes), prints, prints, at_least, sets):
        for one, other in zip(ones.tolist(), others.tolist(), strict=True):
            sets.join(one, other)
    rank = np.empty(len(prefer), np.int64)
    rank[prefer] = np.arange(len(prefer))
    groups: list[Star] = []
    for members in sets.sets():
        if len(members) > 1:
            members.sort(key=lambda one: rank[one])
            units = dict(zip(members, unit_prints(prints[members]), strict=True))

            def alike(centre: int, rest: Sequence[int], units: dict[int, np.ndarray] = units) -> np.ndarray:
                return print_likeness(units[centre], np.stack([units[one] for one in rest]))

            groups += [star for star in stars(members, alike, at_least) if star.others]
    return groups


def stars(members: Sequence[int], alike: Callable[[int, Sequence[int]], np.ndarray], at_least: float) -> Iterator[Star]:
    """All the members, the most preferred first, as stars; one that nothing is like is a star alone.

    The first one takes all that are at least that like it; then the first of the rest, and so on.
    `alike(centre, rest)` → (len(rest),) likenesses.
    """
    waiting = list(members)
    while waiting:
        centre, rest = waiting[0], waiting[1:]
        found = alike(centre, rest) if rest else np.zeros(0)
        near = found >= at_least
        others = tuple(one for one, taken in zip(rest, near, strict=True) if taken)
        yield Star(centre, others, tuple(np.minimum(found[near], 1).tolist()))
        waiting = [one for one, taken in zip(rest, near, strict=True) if not taken]


def similar_prints(
    pairs: Iterable[tuple[np.ndarray, np.ndarray]],
    prints: np.ndarray,
    other_prints: np.ndarray,
    at_least: float,
    sets: DisjointSets | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Those of the pairs (indices into both) whose prints are at least that like; not those of one set already."""
    for ones, others in pairs:
        if sets is not None:
            apart = sets.roots(ones) != sets.roots(others)
            ones, others = ones[apart], others[apart]
        for start in range(0, len(ones), PAIRS_AT_ONCE):
            one, other = ones[start : start + PAIRS_AT_ONCE], others[start : start + PAIRS_AT_ONCE]
            if len(one):
                near = print_likeness(unit_prints(prints[one]), unit_prints(other_prints[other])) >= at_least
                yield one[near], other[near]


def hash_pairs(
    hashes: np.ndarray, others: np.ndarray | None = None, max_bits: int = MAX_BITS
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Indices of all pairs whose hashes differ in at most `max_bits` bits (≤ MAX_BITS), as they are or mirrored.

    Among `hashes` alone each pair (i < j) comes once for each of both ways; with `others`, i is of the first.
    """
    for flip in (np.uint64(0), MIRRORED):
        for band in range(BANDS):
            right = hashes if others is None else others
            yield from _pairs_of_band(hashes ^ flip, right, band, max_bits, within=others is None)


def _pairs_of_band(
    ones: np.ndarray, others: np.ndarray, band: int, max_bits: int, *, within: bool
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    keys, other_keys = _band(ones, band), _band(others, band)
    order, other_order = np.argsort(keys, kind="stable"), np.argsort(other_keys, kind="stable")
    starts = np.searchsorted(keys[order], np.arange(2**BAND_BITS + 1))
    other_starts = np.searchsorted(other_keys[other_order], np.arange(2**BAND_BITS + 1))
    for key in np.unique(keys):
        right = other_order[other_starts[key] : other_starts[key + 1]]
        bucket = order[starts[key] : starts[key + 1]] if len(right) else right
        for start in range(0, len(bucket), ROWS_AT_ONCE):
            left = bucket[start : start + ROWS_AT_ONCE]
            differing = ones[left][:, None] ^ others[right]
            near = _bit_count(differing) <= max_bits
            if within:
                near &= left[:, None] < right
            rows, columns = np.nonzero(near)
            found = differing[rows, columns]
            new = np.ones(len(found), bool)
            for earlier in range(band):  # or a pair would come once for each band that it shares
                new &= _band(found, earlier) != 0
            if new.any():
                yield left[rows[new]], right[columns[new]]


def _bit_count(numbers: np.ndarray) -> np.ndarray:
    """How many bits are set, by adding up ever wider fields. NumPy has this itself from 2.0 on."""
    if hasattr(np, "bitwise_count"):
        return np.bitwise_count(numbers)
    pairs = numbers - ((numbers >> np.uint64(1)) & np.uint64(0x5555555555555555))
    fours = (pairs & np.uint64(0x3333333333333333)) + ((pairs >> np.uint64(2)) & np.uint64(0x3333333333333333))
    bytes_ = (fours + (fours >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (bytes_ * np.uint64(0x0101010101010101)) >> np.uint64(56)


def _band(hashes: np.ndarray, band: int) -> np.ndarray:
    return ((hashes >> np.uint64(BAND_BITS * band)) & np.uint64(2**BAND_BITS - 1)).astype(np.int64)
