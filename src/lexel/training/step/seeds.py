"""Random numbers of a step: a function of seed, step and place in the batch alone.

So a snapshot needs no generator's state, and neither the micro-batch nor the number of processes changes them.
"""

import hashlib

import torch
from torch import Tensor


def draw_noise(seed: int, step: int, batch_size: int, patches: int, places: Tensor) -> Tensor:
    """Uniform numbers in [0, 1) for each patch of the samples at `places` (b,) of the whole batch. → (b, patches).

    Drawn on the host, so that every device gets the same.
    """
    generator = torch.Generator().manual_seed(seed_of(seed, step, "noise"))
    return torch.rand(batch_size, patches, generator=generator)[places]


def seed_of(*names: int | str) -> int:
    """A 56-bit seed, a hash of these names."""
    name = "/".join(map(str, names)).encode()
    return int.from_bytes(hashlib.blake2b(name, digest_size=7).digest(), "big")
