"""The contrastive loss alone, forward and backward: Lexel beside open_clip's ClipLoss, in turns.

    python benchmarks/loss.py [--peer PEER_VENV/bin/python] [--sizes 1024,2048,…] [--rounds 5]

Embeddings of 512 numbers, float32. Prints medians over the rounds by the clock and in processor time (which says more
on a machine with other work), the ratio of the peer's to ours, what share of our processor time 8N²D operations take
at the speed of large matrix products (measured in each round), and the memory that one loss needs beside its inputs, in
a fresh process each. A peer that would take more than half of the free memory is skipped.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

SIZES = (1024, 2048, 4096, 8192, 16384, 32768)
EMBEDDING = 512
MiB = 1 << 20
PEER_MATRICES = 5  # N×N of float32 that the peer holds at its worst, and a little more

HERE = Path(__file__).parent / "peers"
LEXEL = [sys.executable, str(HERE / "lexel_loss.py"), "softmax"]
SIGMOID = [sys.executable, str(HERE / "lexel_loss.py"), "sigmoid"]


class Worker:
    """A library in a process of its own, which takes its loss when told to."""

    def __init__(self, command: list[str]) -> None:
        pipe = subprocess.PIPE
        # Threads that wait without sleeping would count as work.
        passive = os.environ | {"OMP_WAIT_POLICY": "passive"}
        self.process = subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe, env=passive)
        self.name = self._answer()["name"]

    def loss(self, size: int) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{size}\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        self.process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            sys.exit("A worker's process ended; its message is above.")
        return json.loads(line)


def seconds_of_product() -> float:
    """Processor seconds of one operation in a large matrix product, the machine's best."""
    left, right = torch.randn(2, 2048, 2048).unbind()
    start = time.process_time()
    for _ in range(4):
        left @ right
    return (time.process_time() - start) / (4 * 2 * 2048**3)


def fits(size: int) -> bool:
    available = int(Path("/proc/meminfo").read_text().partition("MemAvailable:")[2].split()[0]) * 1024
    return PEER_MATRICES * 4 * size**2 < available / 2


def extra_memory(command: list[str], size: int) -> float:
    """MiB."""
    worker = Worker(command)
    extra = worker.loss(size)["extra"] / MiB
    worker.close()
    return extra


def measure(size: int, commands: dict[str, list[str]], rounds: int) -> dict[str, float]:
    """Medians of milliseconds ("softmax wall", "peer cpu", …), and "floor": those of 8N²D operations at full speed."""
    workers = {name: Worker(command) for name, command in commands.items()}
    times: dict[str, list[float]] = {"floor": []}
    for worker in workers.values():
        worker.loss(size)  # warm up
    for _ in range(rounds):
        times["floor"].append(8 * size**2 * EMBEDDING * seconds_of_product())
        for name, worker in workers.items():
            found = worker.loss(size)
            for clock in ("wall", "cpu"):
                times.setdefault(f"{name} {clock}", []).append(found[clock])
    for worker in workers.values():
        worker.close()
    return {name: 1e3 * statistics.median(values) for name, values in times.items()}


def row(size: int, times: dict[str, float], memory: dict[str, float]) -> str:
    def ratio(kind: str) -> str:
        return f"{times['peer ' + kind] / times['softmax ' + kind]:.2f}×" if "peer" in memory else ""

    cells = [str(size), ratio("wall"), ratio("cpu"), f"{100 * times['floor'] / times['softmax cpu']:.0f} %"]
    for name in ("softmax", "sigmoid", "peer"):
        known = name in memory
        cells += [f"{times[f'{name} {clock}']:.0f}" if known else "–" for clock in ("wall", "cpu")]
        cells.append(f"{memory[name]:.0f}" if known else "–")
    cells.append(f"{memory['peer'] / memory['softmax']:.0f}×" if "peer" in memory else "")
    return "".join(f"{cell:>9}" for cell in cells)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", default=os.environ.get("LEXEL_PEER"), help="a Python that can import open_clip")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    peer = [arguments.peer, str(HERE / "open_clip_loss.py")] if arguments.peer else None

    print(f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}, float32, D {EMBEDDING}")
    print(f"{'':>9}{'peer ÷ softmax':>18}{'softmax':>9}{'softmax':>27}{'sigmoid':>27}{'open_clip':>27}{'less':>9}")
    names = ["N", "wall", "cpu", "of floor", *["wall ms", "cpu ms", "MiB"] * 3, "memory"]
    print("".join(f"{name:>9}" for name in names))
    for size in map(int, arguments.sizes.split(",")):
        commands = {"softmax": LEXEL, "sigmoid": SIGMOID} | ({"peer": peer} if peer and fits(size) else {})
        rounds = max(2, min(arguments.rounds, arguments.rounds * 16384 // size))
        times = measure(size, commands, rounds)
        memory = {name: extra_memory(command, size) for name, command in commands.items()}
        print(row(size, times, memory), flush=True)
    if peer is None:
        print("open_clip is skipped: name its Python with --peer or LEXEL_PEER.")
