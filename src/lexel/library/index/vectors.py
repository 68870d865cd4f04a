"""The vectors of a library, ready to be searched: a faiss index as a cache, and the records, which are the truth.

Photos that came or changed since the cache was written are held beside it in float32, and those that went are masked,
until there are enough of them to build it again. Candidates are rescored with the stored vectors, so that scores and
order are those of an exact search as long as the codes let the right ones through: `check` measures that.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from lexel.batches import ceil_div
from lexel.library.index.codes import DISK_FULL_ERRORS, MAX_SCANNED_VECTORS, build_index, moved, sample_size, shared
from lexel.library.index.index_files import Cached, read_cache, write_cache
from lexel.library.store.records import ROWS_PER_BLOCK, Records
from lexel.progress import say, track
from lexel.terminal import counted
from lexel.unit_vectors import unit

MAX_EXACT_VECTORS = 2_000_000  # a whole scan of so many takes some 200 ms on a core; beyond, approximate is the default
RESCORED_PER_RESULT = 4  # candidates
MIN_RESCORED = 64  # candidates
QUERIES_PER_READ = 256  # queries whose candidates are read from the records at once
MAX_CHANGES_BESIDE_INDEX = 10_000  # photos that are held beside the index, whatever its size
MAX_CHANGED_SHARE = 0.05  # of the photos; more are worth building the index again
PROGRESS_FROM_VECTORS = 100_000  # from which building shows its progress


@dataclass(frozen=True)
class Recall:
    """How much of what an exact float32 search finds is found."""

    recall_at_10: float
    approximate_recall_at_10: float  # of a scan in part
    queries: int
    kind: str  # of the index
    vectors: int


class Vectors:
    """Searches the vectors of one state of the records. Get it from `Vectors.open`; any thread may use it."""

    def __init__(self, records: Records, cached: Cached, generation: int, live: np.ndarray, fresh: np.ndarray) -> None:
        """`live` are the ids of all photos to search; `fresh` those whose vector is not, or not so, in the cache."""
        self.generation = generation
        self._records = records
        self._cached = cached
        self._live = live
        self._fresh, fresh_vectors = records.vectors(fresh) if len(fresh) else (fresh, None)
        self._fresh_vectors = _unit(fresh_vectors) if fresh_vectors is not None else None
        kept = np.setdiff1d(live, self._fresh, assume_unique=True)
        self._in_cache = None if np.array_equal(kept, cached.ids) else np.isin(cached.ids, kept, assume_unique=True)

    @classmethod
    def open(cls, folder: Path, records: Records) -> Self:
        """The vectors as they are in the records now; the cache is rebuilt when missing, damaged or far behind."""
        with records.reading():
            generation, live = records.generation, records.ids_where("1")
            cached = read_cache(folder, records.fingerprint or "", records.dimensions)
            fresh = None if cached is None else _fresh(records, cached, live)
        if cached is None or fresh is None:
            cached, fingerprint = _build(records)
            _keep(folder, cached, records, fingerprint)
            generation = cached.generation
            live, fresh = np.asarray(cached.ids), np.zeros(0, np.int64)
        return cls(records, cached, generation, live, fresh)

    @property
    def count(self) -> int:
        """How many photos are searched."""
        return len(self._live)

    @property
    def ids(self) -> np.ndarray:
        """(N,) int64, ascending: the photos that are searched."""
        return self._live

    @property
    def kind(self) -> str:
        """How faiss keeps them: SQ8, or IVF…,SQ8+RaBitQ."""
        return self._cached.index.kind

    def search(
        self,
        queries: np.ndarray,
        count: int,
        ids: np.ndarray | None = None,
        *,
        approximate: bool | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best photos for each of the unit vectors `queries` (Q, D), best first.

        Only among the photos `ids`, where they are given: filtered search is as exact as unfiltered. `approximate`
        looks at sketches in a part of a large library, in a tenth of the time or less; the default beyond two million
        photos. Returns cosines (Q, count) float32 and ids (Q, count) int64, −∞ and −1 where there are fewer.
        """
        queries = np.ascontiguousarray(queries, np.float32)
        beside = np.ones(len(self._fresh), bool) if ids is None else np.isin(self._fresh, ids)
        in_part = self.count > MAX_EXACT_VECTORS if approximate is None else approximate
        depth = min(max(RESCORED_PER_RESULT * count, MIN_RESCORED), max(1, len(self._cached.ids)))
        found = self._candidates(queries, depth, ids, in_part)
        scores = np.full((len(queries), count), -np.inf, np.float32)
        best = np.full((len(queries), count), -1, np.int64)
        for row, (candidates, cosines) in enumerate(self._rescored(queries, found)):
            if beside.any():
                assert self._fresh_vectors is not None
                candidates = np.concatenate([candidates, self._fresh[beside]])
                cosines = np.concatenate([cosines, self._fresh_vectors[beside] @ queries[row]])
            order = np.lexsort((candidates, -cosines))[:count]  # of equal scores the earlier photo first
            scores[row, : len(order)], best[row, : len(order)] = cosines[order], candidates[order]
        return scores, best

    def vectors_of(self, ids: np.ndarray) -> np.ndarray:
        """(N, D) float32 unit vectors of these photos, in their order. Raises KeyError for one that is not searched."""
        ids = np.asarray(ids, np.int64)
        known, vectors = self._records.vectors(np.unique(ids))
        if not np.isin(ids, known).all():
            raise KeyError("a photo without a vector was asked for")
        return _unit(vectors)[np.searchsorted(known, ids)]

    def blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Ids (n,) and float32 unit vectors (n, D) of all photos, a block at a time."""
        for ids, vectors in self._records.vector_blocks():
            yield ids, _unit(vectors)

    def check(self, sample: int = 200) -> Recall:
        """Measure recall against an exact search, with up to `sample` of the library's own pictures as queries.

        Each is moved a little at random, or it would only find itself.
        """
        random = np.random.default_rng(0)
        chosen = random.choice(self._live, min(sample, self.count), replace=False)
        queries = moved(self.vectors_of(chosen))
        exact_scores = np.full((len(queries), 10), -np.inf, np.float32)
        exact = np.full((len(queries), 10), -1, np.int64)
        for ids, vectors in self.blocks():
            scores = np.concatenate([exact_scores, queries @ vectors.T], axis=1)
            names = np.concatenate([exact, np.broadcast_to(ids, (len(queries), len(ids)))], axis=1)
            best = np.argsort(-scores, axis=1, kind="stable")[:, :10]
            exact_scores, exact = np.take_along_axis(scores, best, 1), np.take_along_axis(names, best, 1)
        full, in_part = (self.search(queries, 10, approximate=quick)[1] for quick in (False, True))
        return Recall(shared(full, exact), shared(in_part, exact), len(queries), self.kind, self.count)

    def _candidates(self, queries: np.ndarray, depth: int, ids: np.ndarray | None, in_part: bool) -> list[np.ndarray]:
        """For each query the ids of the nearest codes."""
        if not len(self._cached.ids):
            return [np.zeros(0, np.int64)] * len(queries)
        allowed = self._in_cache
        if ids is not None:
            among = np.zeros(len(self._cached.ids), bool)
            places = self._places[ids[(ids >= 0) & (ids < len(self._places))]]
            among[places[places >= 0]] = True
            allowed = among if allowed is None else allowed & among
        bitmap = None if allowed is None else np.packbits(allowed, bitorder="little")
        _, positions = self._cached.index.search(queries, depth, bitmap, approximate=in_part)
        return [np.asarray(self._cached.ids[row[row >= 0]]) for row in positions]

    @cached_property
    def _places(self) -> np.ndarray:
        """Position in the index by id, −1 where there is none."""
        ids = self._cached.ids
        places = np.full(int(ids[-1]) + 1, -1, np.int64)
        places[ids] = np.arange(len(ids))
        return places

    def _rescored(self, queries: np.ndarray, found: list[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For each query the ids of its candidates, less what has been removed meanwhile, with their cosines."""
        for start in range(0, len(queries), QUERIES_PER_READ):
            several = found[start : start + QUERIES_PER_READ]
            known, vectors = self._records.vectors(np.unique(np.concatenate(several)))
            vectors = _unit(vectors)
            for query, ids in zip(queries[start : start + QUERIES_PER_READ], several, strict=True):
                ids = np.intersect1d(ids, known, assume_unique=True)
                # An empty library's vectors have no length yet.
                yield ids, vectors[np.searchsorted(known, ids)] @ query if len(ids) else np.zeros(0, np.float32)


def _fresh(records: Records, cached: Cached, live: np.ndarray) -> np.ndarray | None:
    """What has to be held beside the cache; None when it is so much that building again is better."""
    if cached.generation == records.generation:
        return np.zeros(0, np.int64)
    fresh = records.changed_since(cached.generation)
    gone = len(cached.ids) - np.isin(live, cached.ids, assume_unique=True).sum()
    outgrown = len(cached.ids) <= MAX_SCANNED_VECTORS < len(live)
    most = MAX_CHANGES_BESIDE_INDEX if len(live) > MAX_SCANNED_VECTORS else 0  # a small one is built in a second
    return None if outgrown or len(fresh) + gone > max(most, MAX_CHANGED_SHARE * len(live)) else fresh


def _build(records: Records) -> tuple[Cached, str]:
    """An index of all vectors in the records, and the fingerprint of the model that they are from."""
    random = np.random.default_rng(0)
    # Others may change the records meanwhile: the blocks are of this generation or a later one, which is made up for
    # as what has come and gone since.
    with records.reading():
        generation, fingerprint, dimensions = records.generation, records.fingerprint or "", records.dimensions
        live = records.ids_where("1")
        count = len(live)
        _, sample = records.vectors(np.sort(random.choice(live, sample_size(count), replace=False)))
    if not count:
        width = max(1, dimensions)
        return Cached(build_index(0, width, np.zeros((1, width), np.float32), ()), _NONE, generation), fingerprint
    ids: list[np.ndarray] = []

    def blocks() -> Iterator[np.ndarray]:
        for block, vectors in records.vector_blocks():
            ids.append(block)
            yield _unit(vectors)

    steps = blocks()
    if count >= PROGRESS_FROM_VECTORS:
        say(f"Building the index of {counted(count, 'vector')}.")
        steps = track(steps, "Indexing vectors", ceil_div(count, ROWS_PER_BLOCK))
    training = random.permutation(_unit(sample))
    index = build_index(count, dimensions, training, steps)
    return Cached(index, np.concatenate([_NONE, *ids]), generation), fingerprint


def _keep(folder: Path, cached: Cached, records: Records, fingerprint: str) -> None:
    """Write the cache where that can be done; the library is searched all the same where not."""
    if records.read_only:
        return
    try:
        write_cache(folder, cached, fingerprint)
    except (OSError, RuntimeError) as error:
        is_full = isinstance(error, OSError) and error.errno in DISK_FULL_ERRORS
        reason = "for lack of space on the disk" if is_full else f"({error})"
        say(
            f"The index of {folder} cannot be kept {reason}. Searches find the same, but take longer to start: "
            "it is built again each time."
        )


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Stored vectors (N, D), which float16 has rounded a little, in float32 and of unit length."""
    return unit(vectors.astype(np.float32))


_NONE = np.zeros(0, np.int64)
