"""Activations of convolutional towers, counted by a forward pass in which no number is computed.

The tower's tensors are fake ones, which have shapes and types but no content, so neither memory nor time is needed,
whatever the size of the tower.
"""

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from lexel.architectures.config import ConvNeXtConfig, ResNetConfig
from lexel.models.clip import build_image_tower

TRACED_ROWS = (2, 4)  # a normalisation over the batch wants more than one; what both have in common is not of a row
INPUT_SHARE = 1 / 8  # the input of a block, as a share of what its backward pass needs


def traced_activations(
    config: ResNetConfig | ConvNeXtConfig, embedding: int, image_size: int, *, checkpoint: bool, number_bytes: int
) -> float:
    """Bytes that the backward pass through the tower needs of one image.

    `number_bytes` are 2 where products are computed in bfloat16, 4 in float32. With `checkpoint` the activations of
    blocks are computed again, and only those of one block at a time are kept, which a ResNet cannot do.
    """
    fewer, more = (_kept_bytes(config, embedding, image_size, rows, number_bytes == 2) for rows in TRACED_ROWS)
    each = (more - fewer) / (TRACED_ROWS[1] - TRACED_ROWS[0])
    if checkpoint and isinstance(config, ConvNeXtConfig):
        return each * min(1.0, INPUT_SHARE + 1 / sum(config.depths))
    return each


def _kept_bytes(
    config: ResNetConfig | ConvNeXtConfig, embedding: int, image_size: int, rows: int, bfloat16: bool
) -> int:
    """Bytes of all tensors that autograd keeps of a forward pass, but for the weights."""
    with torch.device("meta"):
        tower = build_image_tower(config, embedding).train()
    kept: dict[int, int] = {}
    alive: list[Tensor] = []  # so that no storage is taken for another that is gone

    def keep(tensor: Tensor) -> Tensor:
        alive.append(tensor)
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage.nbytes()
        return tensor

    with FakeTensorMode():
        state = {
            name: torch.empty_strided(
                tensor.shape, tensor.stride(), dtype=tensor.dtype, requires_grad=tensor.requires_grad
            )
            for name, tensor in (*tower.named_parameters(), *tower.named_buffers())
        }
        pixels = torch.zeros(rows, 3, image_size, image_size)
        with (
            torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
            torch.autocast("cpu", torch.bfloat16, enabled=bfloat16),
        ):
            alive.append(torch.func.functional_call(tower, state, (pixels,)))
        weights = {tensor.untyped_storage()._cdata for tensor in state.values()}
    return sum(size for storage, size in kept.items() if storage not in weights)
