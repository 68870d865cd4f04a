"""Sharding of the towers over processes (FSDP2), and tensors that may be sharded (DTensors)."""

from typing import Literal

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from lexel.config import Config
from lexel.models.clip import CLIP
from lexel.runtimes.torch import build_clip


class ParallelSettings(Config):
    """How the processes of a run keep the model. Changes speed and memory only."""

    shard: Literal["none", "towers"] = "none"  # towers: each process keeps a part of them, if they do not fit on one


def is_sharded(tensor: Tensor) -> bool:
    """Whether this process holds only a part of `tensor`."""
    if type(tensor) in (Tensor, torch.nn.Parameter):  # importing DTensor takes a second
        return False
    from torch.distributed.tensor import DTensor

    return isinstance(tensor, DTensor)


def whole(tensor: Tensor) -> Tensor:
    """All of `tensor`, on every process; every process must call this."""
    return tensor.full_tensor() if is_sharded(tensor) else tensor  # pyright: ignore[reportAttributeAccessIssue]


def local(tensor: Tensor) -> Tensor:
    """The part of `tensor` that this process holds, in the same memory."""
    return tensor.to_local() if is_sharded(tensor) else tensor  # pyright: ignore[reportAttributeAccessIssue]


def like(parameter: Tensor, value: Tensor) -> Tensor:
    """`value`, which is whole and the same on every process, sharded as `parameter` is."""
    value = value.to(parameter.device)
    if not is_sharded(parameter):
        return value
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(parameter, DTensor)
    return distribute_tensor(value, parameter.device_mesh, parameter.placements, src_data_rank=None)


def shard_towers(clip: CLIP, device: torch.device, precision: torch.dtype) -> None:
    """Shard the towers over all processes, each of which keeps its part on `device` (FSDP2).

    Computation needs one block whole at a time, which is gathered while the one before is computed. Gradients are
    summed, as `gradient_sum` does it for towers that are not sharded. With `precision` bfloat16 a GPU gathers blocks in
    it, which is half the traffic; autocast would round their matrices anyway.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    for temperature in (clip.logit_scale, clip.logit_bias):
        if temperature is not None:
            temperature.data = temperature.data.to(device)
    # On a CPU autocast leaves norms as they are, and they want their gains in the format of what they normalise.
    fetched = precision if device.type == "cuda" and precision != torch.float32 else None
    of_blocks = MixedPrecisionPolicy(param_dtype=fetched, reduce_dtype=torch.float32, cast_forward_inputs=False)
    for tower in clip.towers.values():
        tower.to(memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue] # all that FSDP takes
        # BatchNorm wants its gains in the format of its running statistics, which are not fetched.
        blocks = [block for block in tower.blocks_in_order() if not _has_batch_norm(block)]
        for module, policy in (*((block, of_blocks) for block in blocks), (tower, MixedPrecisionPolicy())):
            sharded = fully_shard(module, mesh=mesh, mp_policy=policy)
            sharded.set_gradient_divide_factor(1.0)
            sharded.set_force_sum_reduction_for_comms(True)


def whole_weights(clip: CLIP) -> dict[str, np.ndarray]:
    """The weights of `clip` in the host's memory, without what only learns beside it (the map to a teacher's
    embeddings); every process must call this."""
    return {
        name: whole(value.detach()).cpu().contiguous().numpy()
        for name, value in clip.state_dict().items()
        if is_own(name)
    }


def is_own(name: str) -> bool:
    """Whether a weight of that name belongs to a CLIP, and not to what only learns beside it."""
    return name.partition(".")[0] in ("image", "text", "logit_scale", "logit_bias")


def whole_clip(clip: CLIP) -> CLIP:
    """`clip`, or a whole copy of it where it is sharded; every process must call this."""
    if not any(is_sharded(parameter) for parameter in clip.parameters()):
        return clip
    return build_clip(clip.config, whole_weights(clip), str(clip.logit_scale.device))


def _has_batch_norm(block: nn.Module) -> bool:
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in block.modules())
