"""One training step, Lexel beside open_clip's trainer: the same towers, batch, precision and threads, in turns.

    python benchmarks/training_step.py [--peer PEER_VENV/bin/python] [--rounds 5] [--precision bfloat16] [--compile]

ViT of width 256 and depth 6 on 64-pixel images in 8-pixel patches; text Transformer of width 256 and depth 4 over 77
positions, CLIP's vocabulary; batch 256; captions of 8 to 20 tokens. A step is all that a trainer does with a batch that
lies ready: forward, loss, backward, clipping, AdamW. Prints pairs/s by the clock and by processor time (medians of the
rounds), the ratio, and what share of the machine's matmul peak the model's arithmetic takes. Without a peer's Python
(benchmarks/README.md says how to get one) its rows are skipped.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lexel.architectures.config import CLIPConfig, TextTransformerConfig, VisionTransformerConfig
from lexel.data.loader import Batch
from lexel.images import Preprocessing
from lexel.models.clip import CLIP, init_weights
from lexel.runtimes.allocator import keep_freed_memory
from lexel.training.distributed.world import World
from lexel.training.metering.meter import Meter
from lexel.training.optimization.optimizer import Optimizer, OptimizerSettings
from lexel.training.optimization.schedule import Schedule
from lexel.training.precision import precision_on
from lexel.training.recipe import Recipe
from lexel.training.setup import deterministic
from lexel.training.step.contrastive import ContrastiveObjective
from lexel.training.step.gradients import Gradients

BATCH, CONTEXT, VOCABULARY = 256, 77, 49408
IMAGE = VisionTransformerConfig(image_size=64, patch_size=8, width=256, depth=6, heads=4)
TEXT = TextTransformerConfig(
    context_length=CONTEXT, vocabulary_size=VOCABULARY, end_of_text=VOCABULARY - 1, width=256, depth=4, heads=4
)
PEER_PRECISION = {"float32": "fp32", "bfloat16": "amp_bf16"}

Round = Callable[[], tuple[float, float]]  # seconds of a step by the clock, and of processor time


def made_up_inputs() -> dict[str, Any]:
    """Pixels and captions that both sides get, the latter cut to the longest."""
    random = np.random.default_rng(0)
    lengths = random.integers(8, 21, BATCH)
    ids = random.integers(1, VOCABULARY - 2, (BATCH, lengths.max()))
    for row, length in zip(ids, lengths, strict=True):
        row[length - 1], row[length:] = VOCABULARY - 1, 0
    pixels = random.integers(0, 256, (BATCH, 3, 64, 64), dtype=np.uint8)
    return {"pixels": pixels, "ids": ids, "context": CONTEXT, "vocabulary": VOCABULARY}


def timed(work: Callable[[], None]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def small_model(
    precision: str, compiled: bool = False, text: TextTransformerConfig = TEXT
) -> tuple[ContrastiveObjective, Gradients, Optimizer]:
    """The small model of this benchmark with random weights, and what takes its steps, in this process alone."""
    settings = {"name": "step", "steps": 1_000_000, "data": {"sources": [{"source": "made up"}]}}
    more = {"batch_size": BATCH, "precision": precision, "engine": {"compile": compiled}}
    recipe = Recipe.build(settings | more)
    clip = CLIP(CLIPConfig(embedding=256, image=IMAGE, text=text))
    init_weights(clip, 0)
    world = World(0, 1, torch.device("cpu"))
    objective = ContrastiveObjective(clip.train(), recipe, Preprocessing(image_size=64), 1_000_000)
    gradients = Gradients(objective, recipe, world)
    optimizer = Optimizer(clip, OptimizerSettings(), Schedule(), 1_000_000)
    return objective, gradients, optimizer


def lexel(inputs: dict[str, Any], precision: str, compiled: bool) -> tuple[Round, float, float]:
    """What takes a step, the step's model FLOPs, and the machine's matmul peak."""
    objective, gradients, optimizer = small_model(precision, compiled)
    numbers = torch.arange(BATCH)
    batch = Batch(
        pixels=torch.from_numpy(inputs["pixels"]),
        ids=torch.from_numpy(inputs["ids"]),
        image_group=numbers,
        label_group=torch.full((BATCH,), -1),
        text_group=numbers,
        places=numbers,
        keys=("made up",) * BATCH,
        bad=(),
    )

    def step() -> None:
        with deterministic():
            loss = gradients(batch, 0)
            optimizer.step(0, loss.loss, batch.keys)

    device = torch.device("cpu")
    meter = Meter(device, precision_on(device, precision))
    return lambda: timed(step), float(objective.work(batch, 0).flops or 0), meter.peak


class Peer:
    """open_clip in a process of its own, which takes a step when told to."""

    def __init__(self, python: str, precision: str, inputs: Path) -> None:
        script = Path(__file__).parent / "peers" / "open_clip_steps.py"
        command = [python, str(script), PEER_PRECISION[precision], str(inputs)]
        self.process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.name = self._line()

    def step(self) -> tuple[float, float]:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        wall, cpu = map(float, self._line().split())
        return wall, cpu

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        if not line:
            sys.exit("The peer's process ended; its message is above.")
        return line


def compare(inputs: dict[str, Any], file: Path, precision: str, options: argparse.Namespace) -> None:
    """The rounds of one precision, and their lines of the table."""
    step, flops, peak = lexel(inputs, precision, options.compile)
    rounds: dict[str, Round] = {"lexel": step}
    if options.peer:
        peer = Peer(options.peer, precision, file)
        rounds[peer.name] = peer.step
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in rounds}
    for number in range(-2, options.rounds):  # the first two warm up
        for name, take in rounds.items():
            taken = take()
            if number >= 0:
                seconds[name].append(taken)
    base: tuple[float, float] | None = None
    for name, times in seconds.items():
        wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
        base = base or (wall, cpu)
        ratio = f"{wall / base[0]:>8.2f}× {cpu / base[1]:>10.2f}×" if base != (wall, cpu) else f"{'':>20}"
        share = f"{flops / wall / peak:>10.0%} of {peak / 1e9:,.0f} GFLOP/s" if name == "lexel" else ""
        print(f"{precision:<10}{name:<18}{BATCH / wall:>9.0f}{BATCH / cpu:>14.0f}{ratio}{share}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", default=os.environ.get("LEXEL_PEER"), help="a Python that can import open_clip")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precision", choices=list(PEER_PRECISION), action="append", help="by itself both")
    parser.add_argument("--compile", action="store_true", help="Lexel's blocks")
    options = parser.parse_args()

    keep_freed_memory()
    print(f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}, batch {BATCH}")
    print(f"{'':<28}{'pairs/s':>9}{'by CPU time':>14}{'faster':>9}{'by CPU time':>12}   matmul peak used")
    with tempfile.TemporaryDirectory() as folder:
        inputs = made_up_inputs()
        file = Path(folder) / "inputs.npz"
        np.savez(file, **inputs)
        for precision in options.precision or PEER_PRECISION:
            compare(inputs, file, precision, options)
    if not options.peer:
        print("open_clip is skipped: name its Python with --peer or LEXEL_PEER.")
