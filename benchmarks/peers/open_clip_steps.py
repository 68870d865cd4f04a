"""open_clip's trainer for `training_step.py`: takes a step at each line on standard input, prints its seconds.

What runs is `train_one_epoch` of open_clip_train with the optimizer that its main.py makes, both with their defaults,
on batches that lie ready as its loader gives them: normalised float32 pixels, captions padded to the context length.
"""

import sys
import time
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import open_clip
import torch
from open_clip.loss import ClipLoss
from open_clip.model import CLIP
from open_clip_optimizer import adamw
from open_clip_train.train import train_one_epoch

PRECISION, INPUTS = sys.argv[1], Path(sys.argv[2])

inputs = np.load(INPUTS)
context, vocabulary = int(inputs["context"]), int(inputs["vocabulary"])
clip = CLIP(
    embed_dim=256,
    vision_cfg={"image_size": 64, "layers": 6, "width": 256, "patch_size": 8, "head_width": 64},
    text_cfg={"context_length": context, "vocab_size": vocabulary, "width": 256, "heads": 4, "layers": 4},
    output_dict=True,
)
optimizer = adamw(clip, 5e-4)
ids = torch.from_numpy(np.pad(inputs["ids"], ((0, 0), (0, context - inputs["ids"].shape[1]))))
pixels = (torch.from_numpy(inputs["pixels"]).float() / 255 - 0.45) / 0.27


class Loader(list):
    """Batches that are there."""

    num_batches, num_samples = 1, len(ids)


data = {"train": SimpleNamespace(set_epoch=lambda epoch: None, dataloader=Loader([(pixels, ids)]))}
arguments = Namespace(
    device="cpu", precision=PRECISION, distill=False, accum_freq=1, skip_scheduler=True, grad_clip_norm=None,
    horovod=False, rank=0, local_rank=0, log_local=False, log_every_n_steps=100, batch_size=len(ids), world_size=1,
    wandb=False,
)  # fmt: skip

print(f"open_clip {open_clip.__version__}", flush=True)
for _ in sys.stdin:
    wall, cpu = time.perf_counter(), time.process_time()
    train_one_epoch(clip, data, ClipLoss(), 0, optimizer, None, None, None, arguments)
    print(time.perf_counter() - wall, time.process_time() - cpu, flush=True)
