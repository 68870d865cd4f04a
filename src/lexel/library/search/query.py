"""Asking a library: words, pictures, filters and keywords, and what comes of it.

Every part is exact: candidates come from `Vectors`, and what is dropped afterwards (photos that show what is not
wanted) is made up for by looking further down the list.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lexel.calibration import Strength
from lexel.encoder_inputs import ImageLike
from lexel.errors import UsageError
from lexel.library.search.diversity import diversify
from lexel.library.search.filters import Filter, Orientation
from lexel.library.search.query_vector import Part, compose, picture_parts, text_parts
from lexel.library.search.strength import generic_of, in_words, matches, sample_of, shows
from lexel.library.store.records import Photo

if TYPE_CHECKING:
    from lexel.library.library import Library

Weighted = str | tuple[str, float]
LikeThis = ImageLike | int | tuple[ImageLike | int, float]
UNLIKE = 0.5  # of what is wanted: as much again, and the opposite is all that counts
KEYWORDS = 10_000  # photos with the keywords that are looked at beside words or pictures; see _fused
FUSED = 60  # Cormack et al. 2009: what a rank is moved by before its inverse counts
POOL = 5  # candidates for each result among which diverse ones are chosen
FURTHER = 4  # times deeper each time that too many were dropped
AGAIN = 3  # times that a search is repeated when the library changes under it


@dataclass(frozen=True, slots=True)
class Hit:
    """One photo that was found."""

    photo: Photo
    score: float | None  # cosine with what was asked, or of keywords alone minus their BM25; None for filters alone
    match: float | None  # the probability that it fits the words, where that can be told
    strength: Strength | None
    why: str  # what each part of the query made of it


@dataclass(frozen=True)
class Query:
    """What is asked of a library.

    `texts`, `like` and `unlike` may each carry a weight: ("beach", 2.0). A word or two are asked as a label is, in
    several sentences about a photo, unless `literal` says to take them as they stand. `like` and `unlike` are
    pictures, or numbers of the library's own photos. Photos that show a concept of `without` are left out. `keywords`
    must occur in caption, tags or file name; beside other parts they only raise what has them. `diversity` from 0 to 1
    spreads the results.
    """

    texts: Sequence[Weighted] = ()
    like: Sequence[LikeThis] | str | Path = ()
    unlike: Sequence[LikeThis] | str | Path = ()
    without: Sequence[str] | str = ()
    literal: bool = False
    keywords: str | None = None
    where: str | None = None
    folder: str | Path | None = None
    after: str | None = None
    before: str | None = None
    orientation: Orientation | None = None
    tag: str | None = None
    least_side: int | None = None
    top: int = 20
    page: int = 1
    diversity: float = 0.0
    approximate: bool | None = None  # see Vectors.search
    _filter: Filter = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.top < 1 or self.page < 1:
            raise UsageError("Pages and results are counted from 1.")
        if not 0 <= self.diversity <= 1:
            raise UsageError(f"Diversity goes from 0 (off) to 1, not {self.diversity}.")
        if not (self.texts or self.like or self.unlike or self.keywords or self._filters()):
            raise UsageError("Nothing is asked: give words, a picture that it should be like, keywords or a filter.")
        object.__setattr__(self, "_filter", Filter(**self._filters()))

    def run(self, library: "Library") -> list[Hit]:
        """The photos that fit, best first. Raises UsageError for what cannot be asked."""
        for _ in range(AGAIN):
            try:
                return _Search(self, library).page()
            except KeyError:  # another process took away a photo that had just been found
                continue
        return _Search(self, library).page()

    def parts(self, library: "Library") -> list[Part]:
        """What is asked, embedded."""
        texts = [_weighted(text) for text in ([self.texts] if isinstance(self.texts, str) else self.texts)]
        pictures = [_weighted(picture) for picture in _several(self.like)]
        pictures += [(picture, -UNLIKE * weight) for picture, weight in map(_weighted, _several(self.unlike))]
        if any(not str(text).strip() for text, _ in texts):
            raise UsageError("The words to search for are empty.")
        found = text_parts(library.encoder, texts, self.literal) if texts else []
        return found + picture_parts(library, pictures)

    def unwanted(self, library: "Library") -> list[Part]:
        """The concepts that are not to be seen."""
        given = [self.without] if isinstance(self.without, str) else self.without
        return text_parts(library.encoder, [(text, 1.0) for text in given], self.literal) if given else []

    def allowed(self, library: "Library") -> np.ndarray | None:
        """Ids of the photos that pass the filters; None for all."""
        return library.passing(self._filter)

    def newest(self, library: "Library", count: int) -> np.ndarray:
        """Ids of the newest photos that pass the filters, newest first."""
        return library.newest(self._filter, count)

    def _filters(self) -> dict:
        names = ("where", "folder", "after", "before", "orientation", "tag", "least_side")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


class _Search:
    """One run of a query."""

    def __init__(self, query: Query, library: "Library") -> None:
        self.query = query
        self.library = library
        self.vectors = library.vectors
        self.parts = query.parts(library)
        self.unwanted = query.unwanted(library)
        self.vector = compose(library, self.parts) if self.parts else None
        has_text = any(part.is_text for part in (*self.parts, *self.unwanted))
        self.calibration = library.encoder.calibration if has_text else None
        self.generic = None
        if has_text and self.calibration is None:
            self.generic = generic_of(library.encoder, sample_of(self.vectors, self.vectors.ids))
        self.keyword_ranks: dict[int, tuple[int, float]] = {}  # by photo its rank among these, from 1, and its BM25

    @cached_property
    def allowed(self) -> np.ndarray | None:
        return self.query.allowed(self.library)

    def page(self) -> list[Hit]:
        wanted = self.query.top * self.query.page
        ids, scores = self._ranked(wanted)
        chosen = slice(wanted - self.query.top, wanted)
        return self._hits(ids[chosen], scores[chosen])

    def _ranked(self, wanted: int) -> tuple[np.ndarray, np.ndarray]:
        """Ids and scores of the best `wanted` photos; a score is not a number where only filters were asked."""
        if self.vector is None:
            return self._by_keywords_or_date(wanted)
        self.keyword_ranks = self._keyword_ranks(KEYWORDS)
        depth = wanted * POOL if self.query.diversity else wanted
        depth += len(self.keyword_ranks) + sum(part.id is not None for part in self.parts)
        while True:
            depth = min(depth, max(1, self.vectors.count))  # room is made for as many
            scores, ids = self.vectors.search(
                self.vector[None], depth, self.allowed, approximate=self.query.approximate
            )
            ids, scores = ids[0][ids[0] >= 0], scores[0][ids[0] >= 0]
            is_all = len(ids) < depth or depth >= self.vectors.count
            ids, scores = self._kept(ids, scores)
            if is_all or len(ids) >= wanted:
                break
            depth *= FURTHER
        ids, scores = self._fused(ids, scores)
        if self.query.diversity:
            order = diversify(scores, self.vectors.vectors_of(ids), wanted, self.query.diversity)
            return ids[order], scores[order]
        return ids[:wanted], scores[:wanted]

    def _kept(self, ids: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Without the photos that were asked with, and those that show what is not wanted."""
        kept = ~np.isin(ids, [part.id for part in self.parts if part.id is not None])
        if self.unwanted and len(ids):
            found = self.vectors.vectors_of(ids)
            for part in self.unwanted:
                kept &= ~shows(found @ part.vector, found, self.calibration, self.generic)
        return ids[kept], scores[kept]

    def _keyword_ranks(self, limit: int) -> dict[int, tuple[int, float]]:
        """By photo its rank among the best `limit` of those that have the keywords, from 1, and its BM25."""
        if self.query.keywords is None:
            return {}
        words = self.query.keywords.split()
        if not words:
            raise UsageError("The keywords are empty.")
        # Quoted, so that nothing in them is taken for an operator; all must occur, the last perhaps only begun.
        match = " ".join('"{}"'.format(word.replace('"', '""')) for word in words) + "*"
        found = self.library.records.search_text(match, limit, self.allowed)
        return {id: (rank, bm25) for rank, (id, bm25) in enumerate(found, start=1)}

    def _fused(self, ids: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both rankings as one, by the sum of inverse ranks; scores stay cosines.

        Of photos with the keywords only the best KEYWORDS are looked at: where all of a million photos have a word,
        their vectors are not read. The others pass for photos without it: they lack less than 1 / (FUSED + KEYWORDS),
        which is less than one place among the first forty is worth.
        """
        if not self.keyword_ranks:
            return ids, scores
        assert self.vector is not None
        extra = np.setdiff1d(np.fromiter(self.keyword_ranks, np.int64), ids)
        extra, extra_scores = self._kept(extra, self.vectors.vectors_of(extra) @ self.vector)
        ids, scores = np.concatenate([ids, extra]), np.concatenate([scores, extra_scores])
        ranks = np.empty(len(ids), np.int64)
        ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(ids) + 1)
        fused = 1 / (FUSED + ranks)
        fused += [1 / (FUSED + self.keyword_ranks[id][0]) if id in self.keyword_ranks else 0 for id in ids.tolist()]
        order = np.argsort(-fused, kind="stable")
        return ids[order], scores[order]

    def _by_keywords_or_date(self, wanted: int) -> tuple[np.ndarray, np.ndarray]:
        """Without words or pictures: best keywords first, else the newest photo first."""
        depth = wanted
        while True:
            depth = min(depth, max(1, self.vectors.count))
            if self.query.keywords is not None:
                self.keyword_ranks = self._keyword_ranks(depth)
                found = np.fromiter(self.keyword_ranks, np.int64)
                scores = np.array([-bm25 for _, bm25 in self.keyword_ranks.values()])
            else:
                found = self.query.newest(self.library, depth)
                scores = np.full(len(found), np.nan)
            is_all = len(found) < depth or depth >= self.vectors.count
            ids, scores = self._kept(found, scores)
            if is_all or len(ids) >= wanted:
                return ids[:wanted], scores[:wanted]
            depth *= FURTHER

    def _hits(self, ids: np.ndarray, scores: np.ndarray) -> list[Hit]:
        if not len(ids):
            return []
        found = self.vectors.vectors_of(ids)
        photos = self.library.records.photos(ids.tolist())
        cosines = [found @ part.vector for part in self.parts]
        chances = [
            matches(part_cosines, found, self.calibration, self.generic)
            for part, part_cosines in zip(self.parts, cosines, strict=True)
            if part.is_text and part.weight > 0
        ]
        told = [chance for chance in chances if chance is not None]
        match = np.min(np.stack(told), axis=0) if told else None  # all texts are to fit
        hits = []
        for row, photo in enumerate(photos):
            why = [
                f"{part.name} {part_cosines[row]:.3f}" for part, part_cosines in zip(self.parts, cosines, strict=True)
            ]
            if photo.id in self.keyword_ranks:
                why.append(f"keywords, place {self.keyword_ranks[photo.id][0]}")
            probability = None if match is None else float(match[row])
            score = None if np.isnan(scores[row]) else float(scores[row])
            hits.append(Hit(photo, score, probability, in_words(probability), "; ".join(why)))
        return hits


def _weighted(given):
    value, weight = given if isinstance(given, tuple) else (given, 1.0)
    if not 0 < weight < np.inf:
        raise UsageError(f"A weight is above 0, not {weight}. For less of something there is unlike and without.")
    return value, float(weight)


def _several(given):
    return [given] if isinstance(given, str | Path | int) else given
