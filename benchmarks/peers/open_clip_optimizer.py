"""The optimizer that main.py of open_clip_train makes, with its defaults, for the peers' scripts beside this one."""

import torch
from torch import nn


def adamw(clip: nn.Module, rate: float) -> torch.optim.AdamW:
    """AdamW on all parameters; norms, biases and the logit scale do not decay."""
    named = list(clip.named_parameters())
    return torch.optim.AdamW(
        [
            {"params": [p for n, p in named if _is_undecayed(n, p)], "weight_decay": 0.0},
            {"params": [p for n, p in named if not _is_undecayed(n, p)], "weight_decay": 0.2},
        ],
        lr=rate,
        betas=(0.9, 0.98),
        eps=1e-6,
    )


def _is_undecayed(name: str, parameter: torch.Tensor) -> bool:
    return parameter.ndim < 2 or "bn" in name or "ln" in name or "bias" in name or "logit_scale" in name
