"""One training step, Lexel beside open_clip: the same towers, batch, precision and optimizer, in turns.

    python benchmarks/training_step.py [--peer PEER_VENV/bin/python] [--rounds 6]

ViT of width 256 and depth 6 on 64-pixel images in 8-pixel patches; text Transformer of width 256 and depth 4 over 32
positions; batch 128; captions of 8 to 14 tokens. Prints pairs/s, medians over the rounds, and the ratio. Without a
peer's Python (benchmarks/README.md says how to get one) its row is skipped.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

from lexel.data.loader import Batch
from lexel.images import Preprocessing
from lexel.models.clip import CLIP, init_weights
from lexel.models.config import CLIPConfig, TextTransformerConfig, VisionTransformerConfig
from lexel.training.optimizer import Optimizer, OptimizerSettings
from lexel.training.schedule import Schedule
from lexel.training.step import Gradients

BATCH, STEPS, CONTEXT, VOCABULARY = 128, 2, 32, 8192
IMAGE = VisionTransformerConfig(image_size=64, patch_size=8, width=256, depth=6, heads=4)
TEXT = TextTransformerConfig(
    context_length=CONTEXT, vocabulary_size=VOCABULARY, end_of_text=VOCABULARY - 1, width=256, depth=4, heads=4
)


def lexel_steps() -> float:
    """Seconds that STEPS steps take."""
    torch.manual_seed(0)
    lengths = torch.randint(8, 15, (BATCH,))
    ids = torch.randint(1, VOCABULARY - 1, (BATCH, int(lengths.max())))
    ids[torch.arange(BATCH), lengths - 1] = VOCABULARY - 1
    numbers = torch.arange(BATCH)
    batch = Batch(
        pixels=torch.randint(0, 256, (BATCH, 3, 64, 64), dtype=torch.uint8),
        ids=ids,
        image_group=numbers,
        label_group=torch.full((BATCH,), -1),
        text_group=numbers,
        keys=("made up",) * BATCH,
        bad=(),
    )
    start = time.perf_counter()
    for step in range(STEPS):
        loss = gradients(batch)
        optimizer.step(step, loss.loss, batch.keys)
    return time.perf_counter() - start


class Peer:
    """open_clip in a process of its own, which takes its steps when told to."""

    def __init__(self, python: str) -> None:
        script = Path(__file__).parent / "peers" / "open_clip_steps.py"
        self.process = subprocess.Popen(
            [python, str(script), str(BATCH), str(STEPS)], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.name = self._line()

    def steps(self) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return float(self._line())

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        if not line:
            sys.exit("The peer's process ended; its message is above.")
        return line


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", default=os.environ.get("LEXEL_PEER"), help="a Python that can import open_clip")
    parser.add_argument("--rounds", type=int, default=6)
    arguments = parser.parse_args()

    clip = CLIP(CLIPConfig(embedding=256, image=IMAGE, text=TEXT))
    init_weights(clip, 0)
    clip.train()
    gradients = Gradients(clip, Preprocessing(image_size=64), "bfloat16")
    optimizer = Optimizer(clip, OptimizerSettings(), Schedule(), steps=1_000_000)
    peer = Peer(arguments.peer) if arguments.peer else None

    lexel_steps(), peer and peer.steps()  # warm up
    seconds: dict[str, list[float]] = {"lexel": [], "peer": []}
    for _ in range(arguments.rounds):
        seconds["lexel"].append(lexel_steps())
        if peer:
            seconds["peer"].append(peer.steps())

    speed = {name: BATCH * STEPS / statistics.median(times) for name, times in seconds.items() if times}
    threads = torch.get_num_threads()
    print(f"{platform.machine()}, {threads} threads, torch {torch.__version__}, bfloat16, batch {BATCH}")
    print(f"{'':<24}{'pairs/s':>10}{'ratio':>10}")
    print(f"{'lexel':<24}{speed['lexel']:>10.0f}{'':>10}")
    if peer:
        print(f"{peer.name:<24}{speed['peer']:>10.0f}{speed['lexel'] / speed['peer']:>9.2f}×")
    else:
        print("open_clip is skipped: name its Python with --peer or LEXEL_PEER.")
