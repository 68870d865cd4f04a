"""One exact step over 32,768 pairs: time, memory, and how far its gradient is from the same batch done another way.

    python benchmarks/large_batch.py [--batch 32768] [--micro-batch 256 --micro-batch 1024]

A ViT of width 192 and depth 4 on 32-pixel images in 8-pixel patches, a text Transformer of width 192 and depth 3,
captions of 8 to 20 tokens; every pair is a negative of every other. Each way runs in a process of its own. How far a
gradient is from that in float64 is the norm of their difference beside the norm of the latter; memory is what the
process holds at most, beside what it held before the step.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

IMAGE = {
    "kind": "vision_transformer",
    "image_size": 32,
    "patch_size": 8,
    "width": 192,
    "depth": 4,
    "heads": 3,
    "pooling": "mean",
}
TEXT = {"context_length": 77, "vocabulary_size": 8192, "end_of_text": 8191, "width": 192, "depth": 3, "heads": 3}


def measure(batch_size: int, micro_batch: int, precision: str, file: Path) -> dict[str, Any]:
    """Take one step, leave its gradient in `file`, and say what it took."""
    import torch

    from lexel.architectures.config import CLIPConfig
    from lexel.images import Preprocessing
    from lexel.models.clip import CLIP, init_weights
    from lexel.runtimes.allocator import keep_freed_memory
    from lexel.training.distributed.world import World
    from lexel.training.recipe import Recipe
    from lexel.training.step.contrastive import ContrastiveObjective
    from lexel.training.step.gradients import Gradients

    keep_freed_memory()
    clip = CLIP(CLIPConfig.model_validate({"embedding": 256, "image": IMAGE, "text": TEXT}))
    init_weights(clip, 0)
    clip.train()
    if precision == "float64":
        clip.double()
    recipe = Recipe.build(
        {
            "name": "large-batch",
            "steps": 10,
            "batch_size": batch_size,
            "micro_batch": micro_batch,
            "precision": "bfloat16" if precision == "bfloat16" else "float32",
            "data": {"sources": [{"source": "made up"}]},
        }
    )
    objective = ContrastiveObjective(clip, recipe, Preprocessing(image_size=32), 10)
    gradients = Gradients(objective, recipe, World(0, 1, torch.device("cpu")))
    batch = _made_up(batch_size)
    before, wall, cpu = _resident(), time.perf_counter(), time.process_time()
    loss = gradients(batch, 0)
    taken = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "memory": _peak() - before}
    found = {name: parameter.grad for name, parameter in clip.named_parameters()}
    np.savez(file, **{name: gradient.numpy() for name, gradient in found.items() if gradient is not None})
    return taken | {"loss": loss.loss}


def _made_up(rows: int) -> Any:
    """Pictures of a few colours with captions that name them, so that there is something to learn."""
    import torch

    from lexel.data.loader import Batch

    random = np.random.default_rng(0)
    meaning = random.integers(0, 4096, rows)
    lengths = random.integers(8, 21, rows)
    ids = random.integers(1, 4000, (rows, 20))
    ids[:, 1] = 4000 + meaning
    for row, length in zip(ids, lengths, strict=True):
        row[length - 1], row[length:] = TEXT["end_of_text"], 0
    colours = np.stack([meaning % 16, meaning // 16 % 16, meaning // 256], axis=1).astype(np.uint8) * 14
    pixels = random.integers(0, 40, (rows, 3, 32, 32), dtype=np.uint8) + colours[:, :, None, None]
    numbers = torch.arange(rows)
    return Batch(
        pixels=torch.from_numpy(pixels),
        ids=torch.from_numpy(ids),
        image_group=numbers,
        label_group=torch.full((rows,), -1),
        text_group=numbers,
        places=numbers,
        keys=("made up",) * rows,
        bad=(),
    )


def _resident() -> int:
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _status(field: str) -> int:
    """Bytes, as Linux counts them for this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(field)).split()[1])


def distance(file: Path, truth: Path) -> float:
    found, expected = np.load(file), np.load(truth)
    differences = sum(float(((found[name] - expected[name]) ** 2).sum()) for name in expected)
    return float(np.sqrt(differences / sum(float((expected[name] ** 2).sum()) for name in expected)))


def run(batch_size: int, micro_batch: int, precision: str, file: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", str(batch_size), str(micro_batch), precision, str(file)]
    return json.loads(subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=32_768)
    parser.add_argument("--micro-batch", type=int, action="append", help="by itself 256 and 1024")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        count, part, precision, file = options.one
        print(json.dumps(measure(int(count), int(part), precision, Path(file))))
        sys.exit()

    parts = options.micro_batch or [256, 1024]
    ways = [(parts[0], "float64"), *((part, "float32") for part in parts), (parts[0], "bfloat16")]
    print(f"{platform.machine()}, {os.environ.get('OMP_NUM_THREADS', os.cpu_count())} threads, batch {options.batch:,}")
    columns = f"{'seconds':>10}{'of CPU':>9}{'memory':>11}{'loss':>10}{'gradient differs':>18}"
    print(f"{'micro-batch':>11}  {'precision':<10}{columns}")
    with tempfile.TemporaryDirectory() as folder:
        for part, precision in ways:
            file = Path(folder) / f"{part}-{precision}.npz"
            taken = run(options.batch, part, precision, file)
            apart = distance(file, Path(folder) / f"{parts[0]}-float64.npz")
            print(
                f"{part:>11,}  {precision:<10}{taken['wall']:>10.1f}{taken['cpu']:>9.1f}"
                f"{taken['memory'] / 1e6:>8,.0f} MB"
                f"{taken['loss']:>10.5f}{apart:>18.1e}",
                flush=True,
            )
