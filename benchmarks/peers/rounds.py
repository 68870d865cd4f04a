"""What every worker of `encode.py` does: wait for the name of a task, do it once, answer with the seconds it took.

It runs in the interpreter of whichever library is measured, so it imports none.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Embed = Callable[[Any], np.ndarray]


def serve(name: str, work: Path, embed_images: Embed, embed_texts: Embed) -> None:
    """Say hello as `name`, then answer each task on standard input with {"wall": s, "cpu": s, "count": n}.

    `save FILE` stores the unit vectors of the small pictures and the captions there instead.
    """
    from PIL import Image

    small, large = sorted((work / "small").iterdir()), sorted((work / "large").iterdir())
    captions = json.loads((work / "captions.json").read_text())
    arrays = [np.asarray(Image.open(path).convert("RGB")) for path in small]
    tasks: dict[str, tuple[Embed, list]] = {
        "small files": (embed_images, small),
        "large files": (embed_images, large),
        "arrays": (embed_images, arrays),
        "one image": (embed_images, small[:1]),
        "64 captions": (embed_texts, captions[:64]),
        "512 captions": (embed_texts, captions),
    }
    print(json.dumps({"name": name}), flush=True)
    for line in sys.stdin:
        task, _, rest = line.strip().partition(" ")
        if task == "save":
            np.savez(rest, images=_unit(embed_images(small)), texts=_unit(embed_texts(captions[:64])))
            print(json.dumps({}), flush=True)
            continue
        embed, items = tasks[line.strip()]
        times = 5 if len(items) == 1 else 1
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(times):
            embed(items)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(json.dumps({"wall": wall, "cpu": cpu, "count": times * len(items)}), flush=True)


def in_batches(embed: Embed, items: list, size: int = 64) -> np.ndarray:
    """The loop that people write around a library that takes a batch."""
    return np.concatenate([embed(items[start : start + size]) for start in range(0, len(items), size)])


def _unit(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors.astype(np.float64)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
