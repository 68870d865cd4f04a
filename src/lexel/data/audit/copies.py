"""Pictures and captions that are there more than once, in one source or in two.

Exact copies have the same pixels; near ones look the same at another size, quality or brightness, or mirrored. Flat
pictures are compared by their pixels alone: all of one colour look alike.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from lexel.data.audit.looks import Looks
from lexel.data.near_copies import LIKENESS, hash_pairs, near_groups, similar_prints
from lexel.data.pairs import Pair, Source
from lexel.errors import BadImageError

EXAMPLES = 20  # captions that two sources share, in a Leak


@dataclass(frozen=True, slots=True)
class NearCopies:
    """One picture that is there in several forms: the largest, then what looks the same."""

    keep: str  # key
    others: list[str]
    likeness: list[float]  # of each of the others, up to 1


@dataclass(frozen=True, slots=True)
class Leak:
    """What a source shares with another one, such as its training set with the test set."""

    other: str
    other_images: int
    other_bad: int
    exact: list[tuple[str, str]]  # key here, first key there, of pictures with the same pixels
    near: list[tuple[str, str]]  # of pictures that look the same
    captions: int  # distinct captions here that are there too, but for case and punctuation
    caption_examples: list[str]


def exact_copies(source: Source, looks: Looks, among: np.ndarray | None = None) -> list[list[int]]:
    """Groups of pictures whose pixels are all the same, as indices; all readable ones, or `among` (K,) indices."""
    groups = []
    for candidates in _equal(looks.rows["pixels"], looks.readable if among is None else among):
        contents = {tuple(looks.rows["content"][index].tolist()) for index in candidates}
        if len(contents) == 1:
            groups.append(candidates)
        else:  # of JPEGs decoded at reduced scale: look at all their pixels
            groups += _same_pixels(source.pairs, candidates)
    return groups


def near_copies(
    looks: Looks, exact: Sequence[Sequence[int]], at_least: float = LIKENESS, among: np.ndarray | None = None
) -> list[tuple[list[int], list[float]]]:
    """Groups of pictures that look the same, as indices with likeness to the first: the largest picture.

    Of exact copies one stands for all, so a group holds what exact copies alone do not show.
    """
    among = looks.readable if among is None else among
    repeated = [index for group in exact for index in group[1:]]
    chosen = np.setdiff1d(among[~looks.flat[among]], np.array(repeated, np.int64))
    rows = looks.rows[chosen]
    groups = near_groups(rows["hash"], rows["print"], largest_first(rows), at_least)
    found = [([int(chosen[i]) for i in (star.centre, *star.others)], [1.0, *star.likeness]) for star in groups]
    return sorted(found, key=lambda group: (-len(group[0]), group[0][0]))


def largest_first(rows: np.ndarray) -> np.ndarray:
    """Positions of looks by pixels, then bytes, then order: which of several copies is kept. rows (K,) of LOOK"""
    pixels = rows["width"].astype(np.int64) * rows["height"]
    return np.lexsort((np.arange(len(rows)), -rows["bytes"].astype(np.int64), -pixels))


def shared_pictures(
    source: Source, looks: Looks, other: Source, other_looks: Looks, at_least: float = LIKENESS
) -> tuple[dict[int, int], dict[int, int]]:
    """Pictures with the same pixels as one of the other source, and those that look the same: index here → there."""
    there = {key: index for index, key in reversed(list(enumerate(_pixel_keys(other_looks)))) if key is not None}
    exact: dict[int, int] = {}
    for index, key in enumerate(_pixel_keys(looks)):
        if key in there:
            found = there[key]
            if _is_same(source.pairs[index], looks, index, other.pairs[found], other_looks, found):
                exact[index] = found
    ones = np.array([i for i in looks.readable.tolist() if i not in exact and not looks.flat[i]], np.int64)
    others = other_looks.readable[~other_looks.flat[other_looks.readable]]
    rows, other_rows = looks.rows[ones], other_looks.rows[others]
    near: dict[int, int] = {}
    pairs = hash_pairs(rows["hash"], other_rows["hash"])
    for left, right in similar_prints(pairs, rows["print"], other_rows["print"], at_least):
        for one, another in zip(ones[left].tolist(), others[right].tolist(), strict=True):
            near[one] = min(near.get(one, another), another)
    return exact, near


def leak(source: Source, looks: Looks, other: Source, other_looks: Looks) -> Leak:
    """What is in both sources."""
    exact, near = shared_pictures(source, looks, other, other_looks)
    said_there = {folded(caption) for pair in other.pairs for caption in pair.captions} - {""}
    shared: dict[str, str] = {}
    for pair in source.pairs:
        for caption in pair.captions:
            if (plain := folded(caption)) in said_there:
                shared.setdefault(plain, caption)

    def keys(found: dict[int, int]) -> list[tuple[str, str]]:
        return [(source.pairs[one].key, other.pairs[another].key) for one, another in sorted(found.items())]

    return Leak(
        other=other.name,
        other_images=len(other.pairs),
        other_bad=len(other_looks.bad),
        exact=keys(exact),
        near=keys(near),
        captions=len(shared),
        caption_examples=list(shared.values())[:EXAMPLES],
    )


def folded(caption: str) -> str:
    """The caption's words without case and punctuation: "A dog, running!" and "a dog running" are one."""
    plain = unicodedata.normalize("NFKC", caption).casefold()
    return " ".join("".join(sign if _is_said(sign) else " " for sign in plain).split())


def near_captions(captions: Iterable[str]) -> list[list[str]]:
    """Distinct captions of the same words, but for case, punctuation, numbers and order: the largest group first."""
    first: dict[bytes, str] = {}
    groups: defaultdict[bytes, dict[str, None]] = defaultdict(dict)
    for caption in captions:
        words = sorted("0" if word.isnumeric() else word for word in folded(caption).split())
        if words:
            digest = blake2b("\0".join(words).encode(errors="surrogatepass"), digest_size=8).digest()
            known = first.setdefault(digest, caption)
            if known != caption:
                groups[digest] |= {known: None, caption: None}
    return sorted(map(list, groups.values()), key=lambda group: (-len(group), group))


def _is_said(sign: str) -> bool:
    return sign.isalnum() or unicodedata.category(sign)[0] == "M"


def _equal(values: np.ndarray, indices: np.ndarray) -> list[list[int]]:
    """Those of the indices whose values (N, 2) are equal, in groups of two and more, in order."""
    different, which = np.unique(values[indices], axis=0, return_inverse=True)
    counts = np.bincount(which.ravel(), minlength=len(different))
    groups: dict[int, list[int]] = {}
    for index, number in zip(indices.tolist(), which.ravel().tolist(), strict=True):
        if counts[number] > 1:
            groups.setdefault(number, []).append(index)
    return list(groups.values())


def _same_pixels(pairs: Sequence[Pair], candidates: Sequence[int]) -> list[list[int]]:
    groups: defaultdict[bytes | None, list[int]] = defaultdict(list)
    for index in candidates:
        groups[_whole_digest(pairs[index])].append(index)
    return [group for digest, group in groups.items() if digest is not None and len(group) > 1]


def _whole_digest(pair: Pair) -> bytes | None:
    try:
        image = pair.picture.load()
    except BadImageError:  # gone since it was looked at
        return None
    return blake2b(image.tobytes(), digest_size=16, salt=image.width.to_bytes(8, "big")).digest()


def _pixel_keys(looks: Looks) -> list[tuple[int, int] | None]:
    pixels, readable = looks.rows["pixels"].tolist(), looks.rows["readable"].tolist()
    return [tuple(key) if there else None for key, there in zip(pixels, readable, strict=True)]


def _is_same(pair: Pair, looks: Looks, index: int, other: Pair, other_looks: Looks, other_index: int) -> bool:
    if (looks.rows["content"][index] == other_looks.rows["content"][other_index]).all():
        return True
    digest = _whole_digest(pair)
    return digest is not None and digest == _whole_digest(other)
