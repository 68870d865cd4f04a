"""Searching a library's vectors, Lexel beside plain faiss, usearch and LanceDB on the same vectors, on one core.

    python benchmarks/vectors.py [--sizes 10000 100000 1000000] [--queries 100] [--rounds 3]

Vectors of 512 numbers in clusters, queries near some of them. Latency of one query for the ten best, embedding apart:
median and p99 over all queries of all rounds, taken in turns; recall@10 against exact float32. Filters keep a random
half, tenth and hundredth of the photos. A peer that is not installed (pip install usearch lancedb) is left out.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import faiss
import numpy as np

from lexel.library.index.codes import lists_for
from lexel.library.index.vectors import Vectors
from lexel.library.store.changes import FileState, PhotoFacts
from lexel.library.store.records import STORED_DTYPE, Records

D, TOP, BLOCK = 512, 10, 50_000
SHARES = (1.0, 0.5, 0.1, 0.01)
Search = Callable[[np.ndarray, np.ndarray | None], np.ndarray]  # query (1, D), allowed positions or None → positions


def blocks(count: int) -> Iterator[np.ndarray]:
    """Unit vectors (n, D) float32 in clusters of some fifty, the same every time."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((max(1, count // 50), D), np.float32)
    for start in range(0, count, BLOCK):
        rows = min(BLOCK, count - start)
        yield unit(
            centres[random.integers(len(centres), size=rows)] + 0.9 * random.standard_normal((rows, D), np.float32)
        )


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def library(folder: Path, count: int) -> Records:
    """Records of photos with these vectors; ids are positions and one."""
    records = Records.open(folder, create=True)
    number = 0
    for block in blocks(count):
        with records.changing() as changes:
            changes.set_fact("dimensions", D)
            changes.set_fact("fingerprint", "benchmark")
            for vector in block.astype(STORED_DTYPE):
                content = changes.add_content(number.to_bytes(16), b"", vector.tobytes())
                changes.add_file(f"/{number}.jpg", FileState(1, 1), content, PhotoFacts(4, 3))
                number += 1
    return records


def lexel(vectors: Vectors, approximate: bool) -> Search:
    def search(query: np.ndarray, allowed: np.ndarray | None) -> np.ndarray:
        ids = None if allowed is None else allowed + 1
        return vectors.search(query, TOP, ids, approximate=approximate)[1][0] - 1

    return search


def plain(index: faiss.Index, **settings: int) -> Search:
    ivf = isinstance(index, faiss.IndexIVF)
    kind = faiss.SearchParametersIVF if ivf else faiss.SearchParameters

    def search(query: np.ndarray, allowed: np.ndarray | None) -> np.ndarray:
        selector = None if allowed is None else faiss.IDSelectorBatch(allowed)
        return index.search(query, TOP, params=kind(sel=selector, **settings))[1][0]

    return search


def faiss_indexes(count: int) -> dict[str, Search]:
    coder = faiss.ScalarQuantizer.QT_8bit
    found = {
        "faiss Flat": faiss.IndexFlatIP(D),
        "faiss SQ8": faiss.IndexScalarQuantizer(D, coder, faiss.METRIC_INNER_PRODUCT),
    }
    if count > 200_000:
        quantizer = faiss.IndexFlatIP(D)
        lists = lists_for(count)
        found["faiss IVF,SQ8"] = faiss.IndexIVFScalarQuantizer(
            quantizer, D, lists, coder, faiss.METRIC_INNER_PRODUCT, False
        )
        quantizer.this.disown()
        found["faiss IVF,SQ8"].own_fields = True
    sample = np.concatenate(list(blocks(count)))[:: max(1, count // 150_000)]
    for index in found.values():
        index.train(sample)
        for block in blocks(count):
            index.add(block)
    searches = {name: plain(index) for name, index in found.items() if "IVF" not in name}
    if "faiss IVF,SQ8" in found:
        searches |= {f"faiss IVF,SQ8 nprobe {n}": plain(found["faiss IVF,SQ8"], nprobe=n) for n in (8, 32, 128)}
    return searches


def peers(count: int, folder: Path) -> Iterator[tuple[str, Search]]:
    try:
        from usearch.index import Index
    except ImportError:
        print("usearch is not installed: left out")
    else:
        index = Index(ndim=D, metric="ip", dtype="i8")
        for start, block in enumerate(blocks(count)):
            index.add(np.arange(len(block)) + start * BLOCK, block, threads=2)
        yield "usearch HNSW i8", lambda query, _: index.search(query[0], TOP, threads=1).keys
    try:
        import lancedb
    except ImportError:
        print("LanceDB is not installed: left out")
        return
    rows = ({"id": start * BLOCK + n, "vector": v} for start, b in enumerate(blocks(count)) for n, v in enumerate(b))
    table = lancedb.connect(folder / "lance").create_table("photos", data=list(rows))

    def search(query: np.ndarray, allowed: np.ndarray | None) -> np.ndarray:
        asked = table.search(query[0]).distance_type("dot").limit(TOP)
        if allowed is not None:
            asked = asked.where(f"id IN ({','.join(map(str, allowed))})", prefilter=True)
        return np.array([row["id"] for row in asked.to_list()])

    yield "LanceDB flat", search


def measure(searches: dict[str, Search], count: int, queries: np.ndarray, rounds: int) -> None:
    exact = faiss.IndexFlatIP(D)
    for block in blocks(count):
        exact.add(block)
    random = np.random.default_rng(2)
    for share in SHARES:
        allowed = None if share == 1 else np.sort(random.choice(count, int(count * share), replace=False))
        expected = [plain(exact)(query[None], allowed) for query in queries]
        print(f"\n{count:,} vectors, filter keeps {share:.0%}\n{'':26}{'median ms':>10}{'p99 ms':>10}{'recall@10':>10}")
        times: dict[str, list[float]] = {name: [] for name in searches}
        recalls: dict[str, float] = {}
        for _ in range(rounds):
            for name, search in searches.items():
                if allowed is not None and name.startswith(("usearch", "LanceDB")):
                    continue  # usearch cannot filter, and LanceDB takes a list of ids only as a sentence
                found = []
                for query in queries:
                    start = time.perf_counter()
                    found.append(search(query[None], allowed))
                    times[name].append(1000 * (time.perf_counter() - start))
                hits = sum(len(np.intersect1d(a, b)) for a, b in zip(found, expected, strict=True))
                recalls[name] = hits / (TOP * len(queries))
        for name, taken in times.items():
            if taken:
                p99 = sorted(taken)[int(0.99 * len(taken))]
                print(f"{name:26}{statistics.median(taken):10.2f}{p99:10.2f}{recalls[name]:10.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    for count in arguments.sizes:
        near = next(blocks(count))[: arguments.queries]
        noise = np.random.default_rng(1).standard_normal(near.shape, np.float32)
        queries = unit(near + 0.5 * unit(noise))
        with tempfile.TemporaryDirectory() as folder, library(Path(folder) / "l.lexel", count) as records:
            start = time.perf_counter()
            vectors = Vectors.open(records.folder, records)
            built = time.perf_counter() - start
            start = time.perf_counter()
            vectors = Vectors.open(records.folder, records)
            opened = time.perf_counter() - start
            print(f"\n{count:,} vectors: built in {built:.1f} s, opened in {1000 * opened:.0f} ms ({vectors.kind})")
            faiss.omp_set_num_threads(2)
            searches = {"Lexel": lexel(vectors, approximate=False)}
            if vectors.kind != "SQ8":
                searches["Lexel in part"] = lexel(vectors, approximate=True)
            searches |= faiss_indexes(count) | dict(peers(count, Path(folder)))
            faiss.omp_set_num_threads(1)
            measure(searches, count, queries, arguments.rounds)


if __name__ == "__main__":
    main()
