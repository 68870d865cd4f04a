"""Multi-head self-attention, within rows of equal length or among captions that are packed behind each other.

Query, key and value come from one linear layer. `nn.MultiheadAttention` is not used: it has an inference path of its
own, which gives other numbers than training did.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lexel.models.layers.packing import Packing, take

LONGEST_WHOLE = 256  # tokens; for longer rows the matrix of weights takes too much memory to be kept


class Attention(nn.Module):
    """Multi-head self-attention; a causal one lets each token see only itself and those before it."""

    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads = heads
        self.causal = causal
        self.qkv = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(
        self,
        tokens: Tensor,
        mask: Tensor | None = None,
        read: Tensor | int | None = None,
        packing: Packing | None = None,
    ) -> Tensor:  # (B, T, D) → (B, T, D)
        """`mask` (B, 1, T, T) is true where a token may look, and takes the place of the causal rule.

        With `read`, a place in each row, only the token there looks at the others: → (B, D). With `packing` the tokens
        are (S, D), and so is what comes back; masks are then the packing's.
        """
        qkv = self.qkv(tokens)
        return self.output(self._mix(qkv, mask, read) if packing is None else self._mix_packed(qkv, read, packing))

    def _mix(self, qkv: Tensor, mask: Tensor | None, read: Tensor | int | None) -> Tensor:
        """(B, T, 3D) → (B, T, D), or (B, D) of the tokens at `read`."""
        q, k, v = heads = qkv.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # each (B, H, T, D/H)
        if read is not None:
            q = take(q.transpose(1, 2), read)[:, :, None]  # (B, H, 1, D/H)
            if mask is not None:
                mask = take(mask[:, 0], read)[:, None, None]  # (B, 1, 1, T)
            elif self.causal:
                mask = seen_from(read, k.shape[2], k.device)
            return F.scaled_dot_product_attention(q, k, v, mask).flatten(1)
        mix, is_causal = F.scaled_dot_product_attention, self.causal and mask is None
        # On a CPU the fused kernel's backward pass is slow in bfloat16 (docs/experiments.md).
        if self.training and qkv.dtype == torch.bfloat16 and qkv.device.type == "cpu" and q.shape[2] <= LONGEST_WHOLE:
            mix = mix_by_products
            q, k, v = heads.contiguous()  # in one copy instead of one for each product
        return mix(q, k, v, mask, is_causal=is_causal).transpose(1, 2).flatten(2)

    def _mix_packed(self, qkv: Tensor, read: Tensor | int | None, packing: Packing) -> Tensor:
        """(S, 3D) → (S, D), or (B, D) of the tokens at `read`."""
        parts = zip(packing.split(qkv), packing.groups, packing.split_places(read), strict=True)
        return torch.cat([self._mix(part, group.mask, places).flatten(0, -2) for part, group, places in parts])


def mix_by_products(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, *, is_causal: bool = False) -> Tensor:
    """Attention as its formula says, with the whole matrix of weights; q, k and v are (B, H, T, D/H) each."""
    logits = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
    if is_causal:
        logits = logits + torch.full(logits.shape[-2:], -math.inf, dtype=q.dtype, device=q.device).triu(1)
    elif mask is not None:
        logits = logits.masked_fill(~mask, -math.inf)
    return logits.softmax(-1) @ v


def seen_from(read: Tensor | int, length: int, device: torch.device) -> Tensor:
    """What causal tokens at these places, counted from the end if negative, may look at: (B or 1, 1, 1, T)."""
    places = torch.arange(length, device=device).view(1, 1, 1, -1)
    return places <= (read % length if isinstance(read, int) else read.view(-1, 1, 1, 1))
