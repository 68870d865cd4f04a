"""What every worker of `loss.py` does: wait for a batch size, take the loss and its gradients, answer with the cost.

It runs in the interpreter of whichever library is measured.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

EMBEDDING, SCALE = 512, 100.0


def serve(name: str, loss_of: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """Say hello as `name`, then answer each size on standard input with {"wall": s, "cpu": s, "extra": bytes}.

    `extra` is how far the peak of the process's memory lay above what it held when it had its inputs.
    """
    _take(8, loss_of)  # whatever the libraries load or set up at first use
    print(json.dumps({"name": name}), flush=True)
    for line in sys.stdin:
        print(json.dumps(_take(int(line), loss_of)), flush=True)


def _take(size: int, loss_of: Callable[[Tensor, Tensor, Tensor], Tensor]) -> dict[str, float]:
    torch.manual_seed(0)
    images, texts = (F.normalize(torch.randn(size, EMBEDDING)).requires_grad_() for _ in range(2))
    scale = torch.tensor(SCALE, requires_grad=True)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = _memory("VmRSS:")
    wall, cpu = time.perf_counter(), time.process_time()
    loss_of(images, texts, scale).backward()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall": wall, "cpu": cpu, "extra": _memory("VmHWM:") - before}


def _memory(kind: str) -> int:
    return int(Path("/proc/self/status").read_text().partition(kind)[2].split()[0]) * 1024
