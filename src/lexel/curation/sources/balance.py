"""Balancing: pairs of frequent labels, words or entries are capped, so that a few of them do not fill the training set.

As MetaCLIP does it (Xu et al. 2024): each entry draws at most `cap` of the pairs that it is found in, and a pair stays
if one of its entries draws it. Rare entries keep all they have. The draw is by a hash of seed, entry and key, so it is
the same whatever the order of the pairs, and adding pairs moves few others.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b
from heapq import nsmallest

from lexel.data.audit.copies import folded
from lexel.data.pairs import Pair


def balanced(keys: Sequence[str], entries: Sequence[Collection[str]], cap: int, seed: int = 0) -> list[bool]:
    """Which pairs stay; a pair without entries stays.

    Each entry keeps min(cap, its number of pairs) at least, and exactly so many where no pair has another entry.
    """
    pairs_of: defaultdict[str, list[int]] = defaultdict(list)
    for index, found in enumerate(entries):
        for entry in set(found):
            pairs_of[entry].append(index)
    stays = [not found for found in entries]
    for entry, indices in pairs_of.items():
        drawn = indices if len(indices) <= cap else nsmallest(cap, indices, key=lambda i: _draw(seed, entry, keys[i]))
        for index in drawn:
            stays[index] = True
    return stays


def _draw(seed: int, entry: str, key: str) -> bytes:
    return blake2b(f"{seed}\0{entry}\0{key}".encode(errors="surrogatepass"), digest_size=16).digest()


def label_entries(pair: Pair) -> set[str]:
    """The pair's label, if it has one."""
    return set() if pair.label is None else {folded(pair.label) or pair.label}


def caption_entries(pair: Pair) -> set[str]:
    """The pair's captions, without case and punctuation."""
    return {folded(caption) for caption in pair.captions} - {""}


def word_entries(pair: Pair) -> set[str]:
    """The words of the pair's captions."""
    return {word for caption in pair.captions for word in folded(caption).split()}


class Entries:
    """A list of words and phrases, such as MetaCLIP's metadata, and which of them a pair's captions hold."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self.phrases = {folded(phrase) for phrase in phrases} - {""}
        self._lengths = sorted({len(phrase.split()) for phrase in self.phrases})

    def __call__(self, pair: Pair) -> set[str]:
        """The phrases in its captions, as whole words."""
        found: set[str] = set()
        for caption in pair.captions:
            words = folded(caption).split()
            for length in self._lengths:
                said = (" ".join(words[at : at + length]) for at in range(len(words) - length + 1))
                found.update(phrase for phrase in said if phrase in self.phrases)
        return found
