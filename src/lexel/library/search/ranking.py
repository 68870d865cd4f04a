"""Finding the photos that a `Query` asks for, in anything `Searchable`, best first.

Every part is exact: candidates come from the vectors, and what is dropped afterwards (photos that show what is not
wanted, that fit too badly, or whose file is gone) is made up for by looking further down the list. Words and keywords
are two rankings that are fused by their reciprocal ranks.
"""

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Generic

import numpy as np

from lexel.calibration import POSSIBLE, STRONG
from lexel.errors import UsageError
from lexel.evaluation.matching import generic_of
from lexel.library.search.diversity import diversify
from lexel.library.search.query import Hit, Query
from lexel.library.search.query_vector import QueryPart, compose, picture_parts, text_parts
from lexel.library.search.searchable import Passing, Searchable
from lexel.library.search.strength import in_words, matches, sample_of, shows
from lexel.library.store.records import Photo

UNLIKE_WEIGHT = 0.5  # relative to what is wanted; at 1.0 the negatives dominate the query
MAX_KEYWORD_HITS = 10_000  # photos with the keywords that are ranked beside words or pictures; see `_fused`
RRF_K = 60  # reciprocal rank fusion: score = Σ 1 / (RRF_K + rank) (Cormack et al. 2009)
CANDIDATES_PER_DIVERSE_RESULT = 5
MIN_MATCH_CANDIDATES = 64  # photos whose match with the words is looked at before nothing is said to fit
DEPTH_FACTOR = 4  # times deeper each time that too many were dropped
MAX_TRIES = 4  # of a search when the library changes under it
KeywordHits = dict[int, tuple[int, float]]  # by photo its rank among those that have the keywords, from 1, and BM25
MIN_PROBABILITY = {"strong": STRONG, "possible": POSSIBLE}


def rank(query: Query, library: Searchable[Passing]) -> list[Hit]:
    """The photos that fit, best first; those whose file is not there come last. Raises UsageError."""
    for _ in range(MAX_TRIES):
        with suppress(KeyError):  # another process took away a photo that had just been found
            return _Ranking(query, library).page()
    raise UsageError(f"{library.records.folder} changes faster than it can be searched. Try again in a while.")


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Photos in their order, best first."""

    ids: np.ndarray  # (N,) int64
    scores: np.ndarray  # (N,) float; not a number where only filters were asked
    is_whole: bool = True  # no photo is further down

    def take(self, chosen: np.ndarray | list[int] | slice) -> "_Ranked":
        return _Ranked(self.ids[chosen], self.scores[chosen], self.is_whole)

    def __add__(self, other: "_Ranked") -> "_Ranked":
        ids, scores = np.concatenate([self.ids, other.ids]), np.concatenate([self.scores, other.scores])
        return _Ranked(ids, scores, self.is_whole)


_NOTHING = _Ranked(np.zeros(0, np.int64), np.zeros(0))


class _Ranking(Generic[Passing]):
    """One run of a query."""

    def __init__(self, query: Query, library: Searchable[Passing]) -> None:
        self.query = query
        self.library = library
        self.vectors = library.vectors
        self.parts = _parts(query, library)
        unwanted = [(text, 1.0) for text in query.unwanted]
        self.unwanted = text_parts(library.encoder, unwanted, query.literal) if unwanted else []
        self.vector = compose(library, self.parts) if self.parts else None
        has_text = any(part.is_text for part in (*self.parts, *self.unwanted))
        self.calibration = library.encoder.calibration if has_text else None
        self.generic = None
        if has_text and self.calibration is None:
            self.generic = generic_of(library.encoder, sample_of(self.vectors, self.vectors.ids))
        self.keyword_hits: KeywordHits = {}
        self.photos: dict[int, Photo] = {}  # those that have been looked up
        self.is_there: dict[int, bool] = {}  # whether their files are

    def page(self) -> list[Hit]:
        """The hits of the page that is asked for."""
        wanted = self.query.top * self.query.page
        ranked = _NOTHING
        for passing in self.passing:
            if len(ranked.ids) < wanted:
                ranked += self._best(passing, wanted - len(ranked.ids))
        return self._hits(ranked.take(slice(wanted - self.query.top, wanted)))

    @cached_property
    def passing(self) -> "list[Passing | None]":
        """Sets of photos to rank one after the other."""
        if self.vector is None and self.query.keywords is None:
            return [None]  # `newest` does its own filtering
        return list(self.library.passing(self.query.filter))

    def _best(self, passing: Passing | None, wanted: int) -> _Ranked:
        """The best `wanted` photos of a set: first those that are there, then those whose file is not."""
        enough = wanted * CANDIDATES_PER_DIVERSE_RESULT if self.query.diversity else wanted
        keyword_hits = self._keyword_hits(passing, MAX_KEYWORD_HITS) if self.vector is not None else {}
        depth, looked_at = self._first_depth(enough, len(keyword_hits)), 0
        while True:
            depth = min(depth, max(1, self.vectors.count))  # room is made for as many
            if self.vector is None:
                ranked = self._by_keywords_or_date(passing, depth)
            else:
                ranked = self._by_vector(self.vector, passing, depth, looked_at, keyword_hits)
            there, gone = self._by_presence(ranked.ids, enough)
            if ranked.is_whole or depth >= self.vectors.count or len(there) >= enough:
                break
            looked_at, depth = depth, depth * DEPTH_FACTOR
        best = ranked.take(there)
        if self.query.diversity and len(best.ids):
            best = best.take(diversify(best.scores, self.vectors.vectors_of(best.ids), wanted, self.query.diversity))
        return (best + ranked.take(gone)).take(slice(wanted))

    def _first_depth(self, enough: int, keyword_hits: int) -> int:
        """How many photos are looked at first, with some to spare for those that are certain to be dropped."""
        if self.vector is None:
            return enough
        depth = enough + keyword_hits + sum(part.id is not None for part in self.parts)
        return depth if self.query.least == "any" else max(depth, MIN_MATCH_CANDIDATES)

    def _by_vector(
        self, vector: np.ndarray, passing: Passing | None, depth: int, looked_at: int, keyword_hits: KeywordHits
    ) -> _Ranked:
        """The best of the `depth` nearest photos, of which the first `looked_at` have been looked at before."""
        scores, ids = self.vectors.search(vector[None], depth, passing, approximate=self.query.approximate)
        ids, scores = ids[0][ids[0] >= 0], scores[0][ids[0] >= 0]
        fits = self._fits(ids, keyword_hits)
        # Where not one of those that are further down than before fits, none is looked for deeper still.
        is_whole = len(ids) < depth or not fits[looked_at:].any()
        ranked = _Ranked(ids, scores, is_whole).take(fits & self._is_kept(ids))
        return self._fused(ranked, vector, keyword_hits) if keyword_hits else ranked

    def _by_presence(self, ids: np.ndarray, enough: int) -> tuple[list[int], list[int]]:
        """Places of the first `enough` photos whose file is there, and of those before the last whose file is not."""
        there: list[int] = []
        gone: list[int] = []
        places = iter(enumerate(ids.tolist()))
        while len(there) < enough and (chunk := list(islice(places, enough - len(there)))):
            self._look_up([id for _, id in chunk])
            for place, id in chunk:
                (there if self.is_there[id] else gone).append(place)
        return there, gone

    def _is_kept(self, ids: np.ndarray) -> np.ndarray:
        """Whether (N,) each is neither a photo that was asked with, nor one that shows what is not wanted."""
        kept = ~np.isin(ids, [part.id for part in self.parts if part.id is not None])
        if self.unwanted and len(ids):
            found = self.vectors.vectors_of(ids)
            for part in self.unwanted:
                kept &= ~shows(found @ part.vector, found, self.calibration, self.generic)
        return kept

    def _fits(self, ids: np.ndarray, keyword_hits: KeywordHits) -> np.ndarray:
        """Whether (N,) each fits the words as well as the query wants, or has the keywords."""
        everything = np.ones(len(ids), bool)
        if self.query.least == "any" or not len(ids):
            return everything
        match = self._match(self.vectors.vectors_of(ids))
        if match is None:
            return everything
        return (match >= MIN_PROBABILITY[self.query.least]) | np.isin(ids, list(keyword_hits))

    def _match(self, vectors: np.ndarray) -> np.ndarray | None:
        """The probability (N,) that photos fit all of the words; None where there are no words or it is not known."""
        chances = [
            matches(vectors @ part.vector, vectors, self.calibration, self.generic)
            for part in self.parts
            if part.is_text and part.weight > 0
        ]
        known = [chance for chance in chances if chance is not None]
        return np.min(np.stack(known), axis=0) if known else None

    def _keyword_hits(self, passing: Passing | None, limit: int) -> KeywordHits:
        """The best `limit` photos of the set that have the keywords."""
        words = self.query.words
        found = self.library.records.search_keywords(words, limit, passing) if words else []
        hits = {id: (rank, bm25) for rank, (id, bm25) in enumerate(found, start=1)}
        self.keyword_hits |= hits
        return hits

    def _fused(self, ranked: _Ranked, vector: np.ndarray, keyword_hits: KeywordHits) -> _Ranked:
        """The rankings by vectors and by keywords as one, by the sum of reciprocal ranks; scores stay cosines.

        Of photos with the keywords only the best MAX_KEYWORD_HITS are looked at: where all of a million photos have a
        word, their vectors are not read. The others pass for photos without it: they lack less than
        1 / (RRF_K + MAX_KEYWORD_HITS), which is less than one place among the first forty is worth.
        """
        extra = np.setdiff1d(np.fromiter(keyword_hits, np.int64), ranked.ids)
        extra = extra[self._is_kept(extra)]
        both = ranked + _Ranked(extra, self.vectors.vectors_of(extra) @ vector)
        ranks = np.empty(len(both.ids), np.int64)
        ranks[np.argsort(-both.scores, kind="stable")] = np.arange(1, len(both.ids) + 1)
        fused = 1 / (RRF_K + ranks)
        fused += [1 / (RRF_K + keyword_hits[id][0]) if id in keyword_hits else 0 for id in both.ids.tolist()]
        return both.take(np.argsort(-fused, kind="stable"))

    def _by_keywords_or_date(self, passing: Passing | None, depth: int) -> _Ranked:
        """Without words or pictures: best keywords first, else the newest photo first."""
        if self.query.keywords is not None:
            found = self._keyword_hits(passing, depth)
            ids, scores = np.fromiter(found, np.int64), np.array([-bm25 for _, bm25 in found.values()], float)
        else:
            ids = self.library.newest(self.query.filter, depth)
            scores = np.full(len(ids), np.nan)
        return _Ranked(ids, scores, is_whole=len(ids) < depth).take(self._is_kept(ids))

    def _look_up(self, ids: list[int]) -> None:
        """Read the photos' facts and see whether their files are there. Raises KeyError for one that was removed."""
        unknown = [id for id in ids if id not in self.photos]
        try:
            photos = self.library.records.photos(unknown)
        except UsageError as error:
            raise KeyError("a photo that was just found") from error
        for photo in photos:
            self.photos[photo.id], self.is_there[photo.id] = photo, self.library.is_there(photo)

    def _hits(self, ranked: _Ranked) -> list[Hit]:
        if not len(ranked.ids):
            return []
        found = self.vectors.vectors_of(ranked.ids)
        cosines = [found @ part.vector for part in self.parts]
        match = self._match(found)
        hits = []
        for row, (id, score) in enumerate(zip(ranked.ids.tolist(), ranked.scores.tolist(), strict=True)):
            photo, keyword_rank = self.photos[id], self.keyword_hits.get(id, (None, 0.0))[0]
            why = [f"{part.name} {of_part[row]:.3f}" for part, of_part in zip(self.parts, cosines, strict=True)]
            if keyword_rank is not None:
                why.append(f"keywords, place {keyword_rank}")
            probability = None if match is None else float(match[row])
            hits.append(
                Hit(
                    photo,
                    score=None if np.isnan(score) else score,
                    match=probability,
                    strength=in_words(probability),
                    keyword_rank=keyword_rank,
                    is_there=self.is_there[id],
                    why="; ".join(why),
                )
            )
        return hits


def _parts(query: Query, library: Searchable[Passing]) -> list[QueryPart]:
    """What is asked, embedded."""
    texts = query.weighted_texts
    like, unlike = query.weighted_examples
    pictures = [*like, *((picture, -UNLIKE_WEIGHT * weight) for picture, weight in unlike)]
    found = text_parts(library.encoder, texts, query.literal) if texts else []
    return found + picture_parts(library, pictures)
