"""Clipping of the gradient by its global norm, for any mixture of plain and sharded tensors."""

from collections.abc import Iterable

import torch
from torch import nn

from lexel.training.distributed.sharding import is_sharded, local, whole


@torch.no_grad()
def clip_gradients(parameters: Iterable[nn.Parameter], limit: float) -> float:
    """Scale the gradient to norm `limit` if it is longer. Returns its norm before, the same on every process."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    kinds = [[gradient for gradient in gradients if is_sharded(gradient) is sharded] for sharded in (False, True)]
    norms = [whole(nn.utils.get_total_norm(kind)) for kind in kinds if kind]
    if not norms:
        return 0.0
    norm = norms[0] if len(norms) == 1 else torch.stack(norms).norm()
    # As torch.nn.utils.clip_grad_norm_ does it, to the bit; a factor that is not finite stays in the gradients.
    factor = (limit / (norm + 1e-6)).clamp(max=1.0)
    torch._foreach_mul_([local(gradient) for gradient in gradients], factor)  # pyright: ignore[reportPrivateImportUsage]
    return norm.item()
