"""The faiss indexes behind a library: which kind for how many vectors, how it is built, and how it is searched.

Vectors are kept as 8-bit codes. Up to SCANNED all codes are scanned: exact but for the codes' rounding, which
rescoring with the stored vectors undoes. Beyond, codes lie in the lists of an inverted file (IVF), so that they may be
scanned in part: how many lists to look into is measured when it is built. Looking into all of them is as exact.
"""

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lexel.errors import UsageError

SCANNED = 200_000  # vectors; a scan of as many takes some 10 ms on a core
TRAINED_ON = 64  # vectors for each list; more gains nothing
CODED_ON = 65_536  # vectors that the range of the codes is learned from
PROBE_QUERIES = 200
GOOD_RECALL = 0.96  # of the ten nearest codes, that a scan in part is to reach
SEED = 0
FULL = (errno.ENOSPC, errno.EDQUOT)  # how a system says that there is no room


def load_faiss() -> Any:
    """The module. Raises UsageError without the extra `search`."""
    try:
        import faiss
    except ImportError as error:
        raise UsageError(f'Searching needs faiss, which is not here: {error}.\n  pip install "lexel[search]"') from None
    return faiss


@dataclass
class CodeIndex:
    """8-bit codes in a faiss index, and how much of it to scan where a scan in part will do."""

    index: Any  # a faiss.Index
    probes: int  # lists to look into for good recall; 0 where there are no lists

    @property
    def kind(self) -> str:
        return f"IVF{self.index.nlist},SQ8" if self.probes else "SQ8"

    def search(
        self, queries: np.ndarray, count: int, allowed: np.ndarray | None, *, approximate: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Cosines of codes (Q, count) and positions (Q, count), −1 where there are fewer.

        `allowed` is a bitmap over positions, little-endian bits; None allows all.
        """
        faiss = load_faiss()
        selector = None if allowed is None else faiss.IDSelectorBitmap(allowed)
        if self.probes:
            probes = self.probes if approximate else self.index.nlist
            # Mode 1 shares the lists of each query among the cores; by itself faiss shares the queries.
            self.index.parallel_mode = 1 if len(queries) == 1 else 0
            parameters = faiss.SearchParametersIVF(nprobe=probes, sel=selector)
        else:
            parameters = faiss.SearchParameters(sel=selector)
        return self.index.search(np.ascontiguousarray(queries, np.float32), count, params=parameters)


def build_index(count: int, dimensions: int, sample: np.ndarray, blocks: Iterable[np.ndarray]) -> CodeIndex:
    """Index `count` vectors that come in float32 `blocks`, learning lists and codes from a `sample` of them."""
    faiss = load_faiss()
    if count <= SCANNED:
        index = faiss.IndexScalarQuantizer(dimensions, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
    else:
        quantizer = faiss.IndexFlatIP(dimensions)
        index = faiss.IndexIVFScalarQuantizer(
            quantizer, dimensions, lists_for(count), faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT, False
        )
        index.cp.seed = SEED
        index.cp.min_points_per_centroid = 1
    index.train(sample)
    for block in blocks:
        index.add(block)
    return CodeIndex(index, 0 if count <= SCANNED else probes_for(index, sample[:PROBE_QUERIES]))


def sample_size(count: int) -> int:
    """How many vectors the lists and codes for `count` are learned from."""
    return min(count, CODED_ON if count <= SCANNED else max(CODED_ON, TRAINED_ON * lists_for(count)))


def lists_for(count: int) -> int:
    """A power of two near twice the square root of the count: about as many lists as vectors in each."""
    return 1 << round(np.log2(2 * count**0.5))


def probes_for(index: Any, queries: np.ndarray) -> int:
    """The fewest lists, doubling, in which GOOD_RECALL of each query's ten nearest codes are found."""
    faiss = load_faiss()
    _, exact = index.search(queries, 10, params=faiss.SearchParametersIVF(nprobe=index.nlist))
    probes = 1
    while probes < index.nlist:
        _, found = index.search(queries, 10, params=faiss.SearchParametersIVF(nprobe=probes))
        if shared(found, exact) >= GOOD_RECALL:
            break
        probes *= 2
    return min(probes, index.nlist)


def shared(found: np.ndarray, expected: np.ndarray) -> float:
    """The share of `expected` (Q, K), −1 aside, that is among `found` (Q, ·) in the same row."""
    hits = sum(len(np.intersect1d(a, b[b >= 0])) for a, b in zip(found, expected, strict=True))
    return hits / max(1, int((expected >= 0).sum()))


def read_index(path: Path, probes: int) -> CodeIndex:
    """An index from its file, mapped into memory: what is not looked at is not read. Raises RuntimeError if damaged."""
    faiss = load_faiss()
    flags = faiss.IO_FLAG_MMAP if probes else faiss.IO_FLAG_MMAP_IFC
    return CodeIndex(faiss.read_index(str(path), flags), probes)


def write_index(index: CodeIndex, path: Path) -> None:
    """Write the file. Raises OSError when the disk is full, RuntimeError for what else faiss cannot do."""
    try:
        load_faiss().write_index(index.index, str(path))
    except RuntimeError as error:
        for code in FULL:
            if os.strerror(code) in str(error):  # all that faiss lets through of it
                raise OSError(code, os.strerror(code)) from None
        raise
