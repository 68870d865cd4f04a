"""open_clip's trainer for `speed_run.py`: what to do comes as JSON on standard input, a line for each part comes back.

    {"towers": {…}, "rate": 1e-3, "seed": 0, "steps": 1000, "precision": "amp_bf16", "batch_size": 256,
     "parts": ["pairs-0.csv", …], "folder": "where the weights go after each part, as STEPS.bin; null: nowhere"}

The parts are trained on one after another with `train_one_epoch`, each read by open_clip's own CSV reader. Each line
has the processor seconds of all steps so far; the weights of that moment then lie in the folder.
"""

import json
import logging
import sys
import time
from argparse import Namespace
from functools import partial
from pathlib import Path

import open_clip
import torch
from open_clip.loss import ClipLoss
from open_clip.model import CLIP
from open_clip_optimizer import adamw
from open_clip_train.data import get_csv_dataset
from open_clip_train.scheduler import cosine_lr
from open_clip_train.train import train_one_epoch

WARMUP = 0.05  # of the steps
MERGES = Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"

job = json.load(sys.stdin)
torch.set_num_threads(1)
torch.manual_seed(job["seed"])
logging.disable()
vision, text = job["towers"]["vision_cfg"], job["towers"]["text_cfg"]
clip = CLIP(**job["towers"], output_dict=True)
train_transform = open_clip.image_transform(vision["image_size"], is_train=True)
tokenizer = open_clip.SimpleTokenizer(context_length=text["context_length"])
optimizer = adamw(clip, job["rate"])
steps = job["steps"]
adjust = cosine_lr(optimizer, job["rate"], max(1, round(WARMUP * steps)), steps)
arguments = Namespace(
    device="cpu", precision=job["precision"], distill=False, accum_freq=1, skip_scheduler=False, grad_clip_norm=None,
    horovod=False, rank=0, local_rank=0, log_local=False, log_every_n_steps=10**9, batch_size=job["batch_size"],
    world_size=1, wandb=False, distributed=False, workers=0, csv_img_key="filepath", csv_caption_key="title",
    csv_separator="\t",
)  # fmt: skip

print(json.dumps({"library": f"open_clip {open_clip.__version__}", "merges": str(MERGES)}), flush=True)
done, seconds = 0, 0.0
for part in job["parts"]:
    arguments.train_data = part
    data = {"train": get_csv_dataset(arguments, train_transform, is_train=True, tokenizer=tokenizer)}
    from_here = partial(lambda first, step: adjust(first + step), done)  # steps are counted from each part's start
    start = time.process_time()
    train_one_epoch(clip, data, ClipLoss(), 0, optimizer, None, from_here, None, arguments)
    seconds += time.process_time() - start
    done += data["train"].dataloader.num_batches
    if job["folder"]:
        torch.save(clip.state_dict(), Path(job["folder"]) / f"{done}.bin")
    print(json.dumps({"seconds": seconds, "steps": done}), flush=True)
