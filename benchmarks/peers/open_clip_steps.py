"""open_clip's training step for `training_step.py`: takes steps at each line on standard input, prints the seconds."""

import sys
import time

import open_clip
import torch
from open_clip.loss import ClipLoss
from open_clip.model import CLIP

BATCH, STEPS = int(sys.argv[1]), int(sys.argv[2])
CONTEXT, VOCABULARY = 32, 8192

clip = CLIP(
    embed_dim=256,
    vision_cfg={"image_size": 64, "layers": 6, "width": 256, "patch_size": 8},
    text_cfg={"context_length": CONTEXT, "vocab_size": VOCABULARY, "width": 256, "heads": 4, "layers": 4},
)
clip.train()
matrices = [p for n, p in clip.named_parameters() if p.ndim >= 2]
others = [p for n, p in clip.named_parameters() if p.ndim < 2]
optimizer = torch.optim.AdamW(
    [{"params": others, "weight_decay": 0.0}, {"params": matrices, "weight_decay": 0.1}], lr=1e-3, fused=True
)
loss_of = ClipLoss()
torch.manual_seed(0)
lengths = torch.randint(8, 15, (BATCH,))
ids = torch.randint(1, VOCABULARY - 1, (BATCH, CONTEXT))
ids[torch.arange(CONTEXT)[None, :] >= lengths[:, None]] = 0  # its tokenizer pads every caption to the context
ids[torch.arange(BATCH), lengths - 1] = VOCABULARY - 1
pixels = torch.randn(BATCH, 3, 64, 64)

print(f"open_clip {open_clip.__version__}", flush=True)
for _ in sys.stdin:
    start = time.perf_counter()
    for _ in range(STEPS):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            images, texts, scale = clip(pixels, ids)[:3]
            loss = loss_of(images, texts, scale)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(clip.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            clip.logit_scale.clamp_(0, 4.6052)
    print(time.perf_counter() - start, flush=True)
