"""The pre-LayerNorm Transformer block that both towers are built of.

Attention goes through `scaled_dot_product_attention` with one fused linear layer for query, key and value:
`nn.MultiheadAttention` has an inference path of its own, which gives other numbers than training did.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lexel.models.config import Activation


class QuickGELU(nn.Module):
    """OpenAI's approximation of GELU; a model trained with it is wrong without it."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: dict[Activation, type[nn.Module]] = {"gelu": nn.GELU, "quick_gelu": QuickGELU}


class Attention(nn.Module):
    """Multi-head self-attention; a causal one lets each token see only itself and those before it."""

    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads = heads
        self.causal = causal
        self.qkv = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:  # (B, T, D) → (B, T, D)
        q, k, v = self.qkv(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # each (B, H, T, D/H)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.output(mixed.transpose(1, 2).flatten(2))


class MLP(nn.Module):
    """Two linear layers around the activation, on each token by itself."""

    def __init__(self, width: int, hidden: int, activation: Activation) -> None:
        super().__init__()
        self.expand = nn.Linear(width, hidden)
        self.activation = ACTIVATIONS[activation]()
        self.contract = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:  # (B, T, D) → (B, T, D)
        return self.contract(self.activation(self.expand(tokens)))


class Block(nn.Module):
    """Attention, then MLP; each reads a normalised copy of the tokens and adds to them."""

    def __init__(self, width: int, heads: int, mlp_ratio: float, activation: Activation, *, causal: bool) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads, causal)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = MLP(width, int(width * mlp_ratio), activation)

    def forward(self, tokens: Tensor) -> Tensor:  # (B, T, D) → (B, T, D)
        tokens = tokens + self.attention(self.attention_norm(tokens))
        return tokens + self.mlp(self.mlp_norm(tokens))
