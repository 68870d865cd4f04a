"""Writes captions.npz: what OpenCLIP's CoCa says, greedily, of the golden pictures, and its log-odds on the way.

OpenCLIP's own `generate` needs transformers 4; with top_k = 1 it does what `greedy` does with OpenCLIP's forward pass.
Run with an environment that has open_clip and timm: python tests/parity/golden/make_captions.py
"""

from pathlib import Path

import numpy as np
import open_clip
import torch
from families import CAPTIONERS, END, pixels
from make import build

START, LONGEST, SHORTEST = 1, 10, 5  # tokens with start and end, as `generate` counts them


def greedy(model: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The likeliest token, again and again; no end before SHORTEST tokens, and the last of LONGEST is one."""
    ids = torch.full((len(images), 1), START)
    ended = torch.zeros(len(images), dtype=torch.bool)
    while ids.shape[1] < LONGEST:
        logits = model(images, ids, output_labels=False)["logits"][:, -1]
        if ids.shape[1] < SHORTEST:
            logits[:, END] = -torch.inf
        chosen = logits.argmax(1) if ids.shape[1] + 1 < LONGEST else torch.full((len(images),), END)
        chosen[ended] = 0
        ids = torch.cat([ids, chosen[:, None]], 1)
        ended |= (chosen == END) | (chosen == 0)
    return ids


def main() -> None:
    found = {}
    for name, content in CAPTIONERS.items():
        model = build(content)
        images = torch.from_numpy(pixels(content["vision_cfg"]["image_size"]))
        with torch.no_grad():
            ids = greedy(model, images)
            logits = model(images, ids)["logits"]
        found |= {f"{name}.ids": ids.numpy(), f"{name}.logits": logits.numpy()}
        print(name, ids.tolist())
    np.savez_compressed(Path(__file__).with_name("captions.npz"), **found)
    print(f"open_clip {open_clip.__version__}")


if __name__ == "__main__":
    main()
