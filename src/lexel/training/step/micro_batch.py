"""The micro-batch: how many pairs go through the towers at once, as the memory of the device allows.

It follows from the memory that a device has, never from what happens to be free, so that a run's bits do not depend on
the moment.
"""

import os
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from lexel.batches import ceil_div
from lexel.errors import UsageError
from lexel.models.clip import CLIP
from lexel.models.towers import Tower
from lexel.training.step.objective import Objective

# Shares of a device's memory for weights and activations. The rest is for what the backward pass holds for a moment and
# for gaps; a host also has its system, the processes that make batches, and other people's work.
USABLE_GPU, USABLE_HOST = 0.75, 0.5
BYTES_OF_A_PARAMETER = 22  # itself, gradient, two moments and average in float32, and a copy in bfloat16
INPUT_SHARE_OF_A_BLOCK = 1 / 8  # of what its backward pass needs


def micro_batch_for(
    objective: Objective,
    precision: Callable[[], torch.autocast],
    rows: int,
    device: torch.device,
    *,
    recomputed: bool,
) -> int:
    """The largest power of two of pairs that fit, `rows` where all fit. The objective's model is in training mode.

    `precision` gives the context that the towers run in; `recomputed` activations are not kept, but for one block's.
    """
    model = objective.model
    if has_batch_norm(model):
        return rows
    parameters = sum(parameter.numel() for parameter in model.parameters())
    usable = usable_memory(device) - BYTES_OF_A_PARAMETER * parameters
    each = bytes_of_a_pair(objective, precision, device)
    if recomputed:
        each *= share_kept(objective.towers.values())
    fitting = max(1, int(usable / max(1.0, each)))
    return rows if fitting >= rows else 1 << (fitting.bit_length() - 1)


def cut(rows: int, nominal: int, micro_batch: int) -> list[slice]:
    """`rows` in parts of about equal size, as many as `nominal` rows need: the same number on every process."""
    count = ceil_div(nominal, micro_batch)
    return [slice(start, stop) for start, stop in pairwise(rows * part // count for part in range(count + 1))]


def check_batch_norm(clip: CLIP, parts: int, processes: int, *, taken_over: bool = False) -> None:
    """Raise UsageError where statistics over the whole batch are wanted, but no process has the whole of it at once.

    Weights that are `taken_over` bring statistics that can be kept.
    """
    if parts * processes > 1 and has_batch_norm(clip):
        cut = f"{processes} processes" if processes > 1 else f"{parts} parts"
        whole = "train it in one process" if processes > 1 else "take a smaller batch_size or a larger micro_batch"
        raise UsageError(
            f"recipe: a tower of this model ({clip.config.image.kind}) normalises over the whole batch (BatchNorm), "
            f"but that is cut into {cut} here.\n"
            + (
                f"Either {whole}, or keep the statistics of its weights: --set freeze.statistics=true"
                if taken_over
                else f"Either {whole}, freeze the tower, or choose another, such as --set model.architecture=ViT-S-32."
            )
        )


def has_batch_norm(model: nn.Module) -> bool:
    """Whether an embedding depends on the rest of the batch, as it does while a tower with BatchNorm learns."""
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training for module in model.modules())


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or the host had no more memory to give."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def usable_memory(device: torch.device) -> float:
    """Bytes of a device that this process may plan with."""
    if device.type == "cuda":
        return USABLE_GPU * torch.cuda.get_device_properties(device).total_memory
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # processes that share the host's memory
    return USABLE_HOST * host_memory() / beside


def host_memory() -> int:
    """Bytes that this machine has, or that its container may take."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        path = Path(file)
        if path.is_file() and (text := path.read_text().strip()).isdigit():
            limits.append(int(text))
    return min(limits)


def bytes_of_a_pair(objective: Objective, precision: Callable[[], torch.autocast], device: torch.device) -> float:
    """Bytes that the backward pass needs of the largest possible pair: found by trying.

    Rows cost alike, so the difference between some and fewer is without what does not grow with them.
    """
    fewer, some = (_kept_bytes(objective, precision, rows, device) for rows in (2, 4))
    return (some - fewer) / 2


def share_kept(towers: Iterable[Tower]) -> float:
    """The share of what the backward pass needs that is in memory at a time, where blocks are computed again."""
    blocks = [len(tower.blocks_in_order()) if tower.can_checkpoint else 1 for tower in towers]
    return min(1.0, INPUT_SHARE_OF_A_BLOCK + 1 / max(1, min(blocks)))


def _kept_bytes(objective: Objective, precision: Callable[[], torch.autocast], rows: int, device: torch.device) -> int:
    """Bytes of all tensors that autograd keeps of the passes over so many rows."""
    passes = objective.largest_passes(rows).values()
    inputs = [[given.values.to(device) for given in one.inputs] for one in passes]
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), precision():
        # All stay alive, or else an address could be given out twice.
        alive = [one.run(*given) for one, given in zip(passes, inputs, strict=True)]
    del alive
    return sum(kept.values())
