"""The faiss indexes behind a library: which kind for how many vectors, how it is built, and how it is searched.

Vectors are kept as 8-bit codes. Up to SCANNED all codes are scanned: exact but for the codes' rounding, which
rescoring with the stored vectors undoes. Beyond, codes lie in the lists of an inverted file (IVF), whose scan all cores
share, and beside them sketches of one bit a number (RaBitQ, Gao and Long 2024) in lists of their own. A search that
need not be exact looks at the sketches in some of the lists: how many is measured when they are built.
"""

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lexel.extras import missing_library
from lexel.unit_vectors import unit

SCANNED = 200_000  # vectors; a scan of as many takes some 20 ms on a core
TRAINED_ON = 64  # vectors for each list; more gains nothing
CODED_ON = 65_536  # vectors that the range of the codes is learned from
PROBE_QUERIES = 200
GOOD_RECALL = 0.98  # of the ten nearest codes, that are to be among the sketches that a search in part takes
SKETCHED = 128  # candidates at least: sketches do not order them well
MOSTLY = 0.25  # share of the vectors from which filtered sketches are worth it; few are sooner scanned by their codes
MOVED = 0.5  # how far from a vector of the library a query lies that stands for one of its kind
SEED = 0
FULL = (errno.ENOSPC, errno.EDQUOT)  # how a system says that there is no room


def load_faiss() -> Any:
    """The module. Raises UsageError without the extra `search`."""
    try:
        import faiss
    except ImportError as error:
        raise missing_library("Searching", "faiss", error) from None
    return faiss


@dataclass
class CodeIndex:
    """8-bit codes in a faiss index and, of many vectors, sketches."""

    codes: Any  # a faiss.Index
    sketches: Any = None  # a faiss.IndexIVFRaBitQ of the same vectors
    probes: int = 0  # lists of sketches to look into for good recall
    owner: Any = None  # what the two were read as, and go with

    @property
    def kind(self) -> str:
        return "SQ8" if self.sketches is None else f"IVF{self.codes.nlist},SQ8+RaBitQ"

    def search(
        self, queries: np.ndarray, count: int, allowed: np.ndarray | None, *, approximate: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Cosines of codes or sketches (Q, count or more) and positions, −1 where there are fewer.

        `allowed` is a bitmap over positions, little-endian bits; None allows all.
        """
        faiss = load_faiss()
        queries = np.ascontiguousarray(queries, np.float32)
        selector = None if allowed is None else faiss.IDSelectorBitmap(allowed)
        if self.sketches is None:
            return self.codes.search(queries, count, params=faiss.SearchParameters(sel=selector))
        share = np.unpackbits(allowed).sum() / self.codes.ntotal if approximate and allowed is not None else 1.0
        if not approximate or share < MOSTLY:
            self._share_lists(self.codes, queries)
            everywhere = faiss.SearchParametersIVF(nprobe=self.codes.nlist, sel=selector)
            return self.codes.search(queries, count, params=everywhere)
        self._share_lists(self.sketches, queries)
        return self.look_into(min(self.codes.nlist, round(self.probes / share)), queries, count, selector)

    def look_into(self, lists: int, queries: np.ndarray, count: int, selector: Any = None) -> tuple[Any, Any]:
        """The nearest sketches in so many lists."""
        some = load_faiss().IVFRaBitQSearchParameters(nprobe=lists, sel=selector)
        return self.sketches.search(queries, max(count, SKETCHED), params=some)

    @staticmethod
    def _share_lists(index: Any, queries: np.ndarray) -> None:
        # Mode 1 shares the lists of each query among the cores; by itself faiss shares the queries.
        index.parallel_mode = 1 if len(queries) == 1 else 0


def build_index(count: int, dimensions: int, sample: np.ndarray, blocks: Iterable[np.ndarray]) -> CodeIndex:
    """Index `count` vectors that come in float32 `blocks`, learning lists and codes from a `sample` of them."""
    faiss = load_faiss()
    kind, cosine = faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    if count <= SCANNED:
        index = CodeIndex(faiss.IndexScalarQuantizer(dimensions, kind, cosine))
        index.codes.train(sample)
    else:
        lists, size = faiss.IndexFlatIP(dimensions), lists_for(count)
        codes = faiss.IndexIVFScalarQuantizer(lists, dimensions, size, kind, cosine, False)
        codes.cp.seed = SEED
        codes.cp.min_points_per_centroid = 1
        codes.train(sample)
        index = CodeIndex(codes, faiss.IndexIVFRaBitQ(faiss.clone_index(lists), dimensions, size, cosine))
        index.sketches.train(sample)
    for block in blocks:
        index.codes.add(block)
        if index.sketches is not None:
            index.sketches.add(block)
    if index.sketches is not None:
        index.probes = probes_for(index, sample[:PROBE_QUERIES])
    return index


def sample_size(count: int) -> int:
    """How many vectors the lists and codes for `count` are learned from."""
    return min(count, CODED_ON if count <= SCANNED else max(CODED_ON, TRAINED_ON * lists_for(count)))


def lists_for(count: int) -> int:
    """A power of two near twice the square root of the count: about as many lists as vectors in each."""
    return 1 << round(np.log2(2 * count**0.5))


def probes_for(index: CodeIndex, vectors: np.ndarray) -> int:
    """The fewest lists, each time a quarter more, in which GOOD_RECALL of the ten nearest of queries like these are.

    The queries lie a little beside the vectors, which would else be looked for where they are.
    """
    queries = moved(vectors)
    exact, probes = index.search(queries, 10, None, approximate=False)[1], 1
    while probes < index.codes.nlist and shared(index.look_into(probes, queries, 10)[1], exact) < GOOD_RECALL:
        probes += max(1, probes // 4)
    return min(probes, index.codes.nlist)


def moved(vectors: np.ndarray) -> np.ndarray:
    """Unit vectors (N, D) a little at random beside these: queries of their kind that are none of them."""
    noise = np.random.default_rng(SEED).standard_normal(vectors.shape, np.float32)
    return unit(vectors + MOVED * unit(noise))


def shared(found: np.ndarray, expected: np.ndarray) -> float:
    """The share of `expected` (Q, K), −1 aside, that is among `found` (Q, ·) in the same row."""
    hits = sum(len(np.intersect1d(a, b[b >= 0])) for a, b in zip(found, expected, strict=True))
    return hits / max(1, int((expected >= 0).sum()))


def read_index(path: Path, probes: int) -> CodeIndex:
    """An index from its file, mapped into memory: what is not looked at is not read. Raises RuntimeError if damaged."""
    faiss = load_faiss()
    if not probes:
        return CodeIndex(faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC))
    both = faiss.read_index(str(path), faiss.IO_FLAG_MMAP)
    if not isinstance(both, faiss.IndexRefine):
        raise RuntimeError(f"{path} holds no sketches")
    return CodeIndex(faiss.downcast_index(both.refine_index), faiss.downcast_index(both.base_index), probes, both)


def write_index(index: CodeIndex, path: Path) -> None:
    """Write the file. Raises OSError when the disk is full, RuntimeError for what else faiss cannot do."""
    faiss = load_faiss()
    # To faiss it is sketches that are refined by codes, which is one file.
    both = index.codes if index.sketches is None else faiss.IndexRefine(index.sketches, index.codes)
    try:
        faiss.write_index(both, str(path))
    except RuntimeError as error:
        for code in FULL:
            if os.strerror(code) in str(error):  # all that faiss lets through of it
                raise OSError(code, os.strerror(code)) from None
        raise
