"""Retrieval among many images and captions: time and memory of Lexel's task, beside plain torch on the same vectors.

    python benchmarks/retrieval.py [N] [--dimensions 512] [--peer-queries 2000]
    python benchmarks/retrieval.py 1000000 --queries 512 [--dimensions 512]

N made-up images with a caption each (default 10,000). Lexel's row is the whole task, both ways, with ranks, intervals
and chance levels; its memory is what the peak rises above the vectors. Torch ranks `--peer-queries` of the captions
among all images in blocks; its seconds are scaled to the N queries of both ways. The ranks of both are compared.

With `--queries` so many captions alone are ranked among all N images, in interleaved rounds: by Lexel (the exact rank
of each right image, ties included), by torch (the same count in blocks) and by faiss (exact search for the first ten).
The seconds are processor time, so that other work on the machine counts little.
"""

import argparse
import time
from pathlib import Path

import faiss
import numpy as np
import torch

from lexel.data.pairs import ImageFile, Pair, Source
from lexel.evaluation.embedded_source import EmbeddedSource
from lexel.evaluation.metrics.metric import BLOCK_SCORES, best_positions
from lexel.evaluation.tasks.finding.retrieval import retrieval
from lexel.unit_vectors import unit

NOISE = 1.0  # of a caption's vector, relative to that of its image; more makes it harder to find
MIB = 2**20
ROUNDS = 3


class MadeUpEncoder:
    """Answers the vectors that it was given for the captions."""

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = vectors

    def embed_texts(self, texts: tuple[str, ...]) -> np.ndarray:
        return self.vectors[: len(texts)]


def vectors(count: int, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of images and of their captions, each (N, D) float32, the same every time."""
    random = np.random.default_rng(0)
    images = unit(random.standard_normal((count, dimensions), np.float32))
    spread = NOISE * random.standard_normal((count, dimensions), np.float32) * dimensions**-0.5
    spread *= random.uniform(1, 6, (count, 1)).astype(np.float32)
    return images, unit(images + spread)


def torch_ranks(texts: np.ndarray, images: np.ndarray, queries: int) -> np.ndarray:
    """The rank of the right image for the first captions, by a plain loop over blocks."""
    candidates, ranks = torch.from_numpy(images).T, []
    height = max(1, BLOCK_SCORES // len(images))
    for start in range(0, queries, height):
        rows = torch.arange(start, min(start + height, queries))
        scores = torch.from_numpy(texts[rows.numpy()]) @ candidates
        ranks.append(1 + (scores > scores[torch.arange(len(rows)), rows][:, None]).sum(dim=1))
    return torch.cat(ranks).numpy()


def faiss_first_ten(texts: np.ndarray, index: faiss.IndexFlatIP, queries: int) -> np.ndarray:
    """Whether the right image is among the first ten, for the first captions, by exact search."""
    found = index.search(texts[:queries], 10)[1]
    return (found == np.arange(queries)[:, None]).any(axis=1)


def measure_queries(count: int, queries: int, dimensions: int) -> None:
    """Print the seconds of each way to rank some captions among all images."""
    images, texts = vectors(count, dimensions)
    index = faiss.IndexFlatIP(dimensions)
    index.add(images)
    forget_peak()
    before = peak_mib()
    seconds: dict[str, list[float]] = {"Lexel, ranks": [], "torch, ranks": [], "faiss, first ten": []}
    memory = 0.0
    for round_ in range(ROUNDS):
        relevant = [[row] for row in range(queries)]
        started = time.process_time()
        positions = best_positions(texts[:queries], images, relevant)
        seconds["Lexel, ranks"].append(time.process_time() - started)
        memory = memory if round_ else peak_mib() - before
        started = time.process_time()
        ranks = torch_ranks(texts, images, queries)
        seconds["torch, ranks"].append(time.process_time() - started)
        started = time.process_time()
        first_ten = faiss_first_ten(texts, index, queries)
        seconds["faiss, first ten"].append(time.process_time() - started)
    operations = 2 * queries * count * dimensions
    print(f"{queries:,} of {count:,} captions among {count:,} images, {dimensions} dimensions, one thread")
    print(f"torch {torch.__version__}, faiss {faiss.__version__}, median of {ROUNDS} rounds")
    print(f"{'':<20}{'seconds':>9}{'ratio':>8}{'10⁹ op/s':>10}{'hours for all, both ways':>27}")
    base = float(np.median(seconds["torch, ranks"]))
    for name, found in seconds.items():
        median = float(np.median(found))
        hours = median * 2 * count / queries / 3600
        print(f"{name:<20}{median:>9.2f}{median / base:>8.2f}{operations / median / 1e9:>10.1f}{hours:>27.1f}")
    differing = int((np.abs(positions.ranks() - ranks) > 0.5).sum())
    hits = positions.hits_at(10) > 0.5
    print(f"Lexel's memory beyond the vectors: {memory:,.0f} MiB, of {count * queries * 4 / MIB:,.0f} for all scores")
    print(f"{differing:,} of {queries:,} ranks differ from torch's; {int((hits != first_ten).sum()):,} of faiss's hits")


def forget_peak() -> None:
    """Count the most memory held from now on (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_mib() -> float:
    """The most memory that this process has held since then."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / MIB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--peer-queries", type=int, default=2000)
    parser.add_argument("--queries", type=int, help="rank so many captions alone")
    wanted = parser.parse_args()
    count, peer_queries = wanted.count, min(wanted.peer_queries, wanted.count)
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    if wanted.queries:
        measure_queries(count, min(wanted.queries, count), wanted.dimensions)
        return

    images, texts = vectors(count, wanted.dimensions)
    pairs = [Pair(f"{i}", ImageFile(Path(f"{i}.jpg")), (f"caption {i}",)) for i in range(count)]
    embedded = EmbeddedSource(Source("made up", pairs), pairs, images, [])
    forget_peak()
    before, started = peak_mib(), time.perf_counter()
    found = retrieval(MadeUpEncoder(texts), embedded)  # type: ignore[arg-type] - of an encoder it asks nothing else
    seconds, memory = time.perf_counter() - started, peak_mib() - before

    started = time.perf_counter()
    ranks = torch_ranks(texts, images, peer_queries)
    peer = (time.perf_counter() - started) * 2 * count / peer_queries
    differing = int((np.abs(ranks - found.text_ranks[:peer_queries]) > 0.5).sum())

    print(f"{count:,} × {count:,}, {wanted.dimensions} dimensions, one thread, torch {torch.__version__}")
    print(f"{'':<28}{'seconds':>10}{'MiB':>8}{'ratio':>8}")
    print(f"{'Lexel, the whole task':<28}{seconds:>10.1f}{memory:>8.0f}{seconds / peer:>8.2f}")
    print(f"{'torch, ranks alone':<28}{peer:>10.1f}{'':>8}{1:>8.2f}")
    print(f"recall@1 {found.text_to_image['recall@1'].value:.3f}, {differing:,} of {peer_queries:,} ranks differ")


if __name__ == "__main__":
    main()
