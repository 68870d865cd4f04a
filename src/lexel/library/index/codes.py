"""The faiss indexes behind a library: which kind for how many vectors, how it is built, and how it is searched.

Vectors are kept as 8-bit codes (scalar quantization). Up to MAX_SCANNED_VECTORS all codes are scanned: exact but for
the codes' rounding, which rescoring with the stored vectors undoes. Beyond that, the codes lie in the lists of an
inverted file (IVF), whose scan all cores share, and beside them lie sketches of one bit a number (RaBitQ, Gao and Long
2024) in lists of their own. An approximate search looks at the sketches in some of the lists (nprobe): how many is
measured when the index is built.
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

MAX_SCANNED_VECTORS = 200_000  # vectors; a scan of as many takes some 20 ms on a core
TRAINING_VECTORS_PER_LIST = 64  # for k-means; more gains nothing
CODE_TRAINING_VECTORS = 65_536  # from which the range of the codes is learned
PROBE_QUERIES = 200  # by which the number of lists to look into is measured
MIN_SKETCH_RECALL = 0.98  # share of the ten nearest codes that must be among the candidates of an approximate search
MIN_SKETCH_CANDIDATES = 128  # for each query: sketches do not order them well
MIN_SHARE_FOR_SKETCHES = 0.25  # a filter that passes less is faster by scanning the 8-bit codes
QUERY_NOISE = 0.5  # length of the random vector by which a test query differs from a vector of the library
INDEX_SEED = 0
DISK_FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT)


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
        if not approximate or share < MIN_SHARE_FOR_SKETCHES:
            self._share_lists(self.codes, queries)
            everywhere = faiss.SearchParametersIVF(nprobe=self.codes.nlist, sel=selector)
            return self.codes.search(queries, count, params=everywhere)
        self._share_lists(self.sketches, queries)
        return self.look_into(min(self.codes.nlist, round(self.probes / share)), queries, count, selector)

    def look_into(self, lists: int, queries: np.ndarray, count: int, selector: Any = None) -> tuple[Any, Any]:
        """The nearest sketches in so many lists."""
        some = load_faiss().IVFRaBitQSearchParameters(nprobe=lists, sel=selector)
        return self.sketches.search(queries, max(count, MIN_SKETCH_CANDIDATES), params=some)

    @staticmethod
    def _share_lists(index: Any, queries: np.ndarray) -> None:
        # Mode 1 shares the lists of each query among the cores; by default faiss shares the queries.
        index.parallel_mode = 1 if len(queries) == 1 else 0


def build_index(count: int, dimensions: int, sample: np.ndarray, blocks: Iterable[np.ndarray]) -> CodeIndex:
    """Index `count` vectors that come in float32 `blocks`, learning lists and codes from a `sample` of them."""
    faiss = load_faiss()
    kind, cosine = faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    if count <= MAX_SCANNED_VECTORS:
        index = CodeIndex(faiss.IndexScalarQuantizer(dimensions, kind, cosine))
        index.codes.train(sample)
    else:
        lists, size = faiss.IndexFlatIP(dimensions), lists_for(count)
        codes = faiss.IndexIVFScalarQuantizer(lists, dimensions, size, kind, cosine, False)
        codes.cp.seed = INDEX_SEED
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
    return min(
        count,
        CODE_TRAINING_VECTORS
        if count <= MAX_SCANNED_VECTORS
        else max(CODE_TRAINING_VECTORS, TRAINING_VECTORS_PER_LIST * lists_for(count)),
    )


def lists_for(count: int) -> int:
    """A power of two near twice the square root of the count: about as many lists as vectors in each."""
    return 1 << round(np.log2(2 * count**0.5))


def probes_for(index: CodeIndex, vectors: np.ndarray) -> int:
    """The fewest lists (growing by a quarter) that hold MIN_SKETCH_RECALL of the ten nearest of queries like these.

    The queries lie a little beside the vectors: a vector itself would be found in the first list.
    """
    queries = moved(vectors)
    exact, probes = index.search(queries, 10, None, approximate=False)[1], 1
    while probes < index.codes.nlist and shared(index.look_into(probes, queries, 10)[1], exact) < MIN_SKETCH_RECALL:
        probes += max(1, probes // 4)
    return min(probes, index.codes.nlist)


def moved(vectors: np.ndarray) -> np.ndarray:
    """Unit vectors (N, D) a little at random beside these: queries of their kind that are none of them."""
    noise = np.random.default_rng(INDEX_SEED).standard_normal(vectors.shape, np.float32)
    return unit(vectors + QUERY_NOISE * unit(noise))


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
        for code in DISK_FULL_ERRORS:
            if os.strerror(code) in str(error):  # all that faiss lets through of it
                raise OSError(code, os.strerror(code)) from None
        raise
