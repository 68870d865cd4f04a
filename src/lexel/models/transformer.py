"""The pre-LayerNorm Transformer block that both towers are built of.

Attention goes through `scaled_dot_product_attention` with one fused linear layer for query, key and value:
`nn.MultiheadAttention` has an inference path of its own, which gives other numbers than training did.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lexel.models.config import Activation, TextTransformerConfig, VisionTransformerConfig


class QuickGELU(nn.Module):
    """OpenAI's approximation of GELU; a model trained with it is wrong without it."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class TanhGELU(nn.GELU):
    """The approximation of GELU by tanh, which JAX means by GELU."""

    def __init__(self) -> None:
        super().__init__(approximate="tanh")


ACTIVATIONS: dict[Activation, type[nn.Module]] = {"gelu": nn.GELU, "quick_gelu": QuickGELU, "gelu_tanh": TanhGELU}


class Attention(nn.Module):
    """Multi-head self-attention; a causal one lets each token see only itself and those before it."""

    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads = heads
        self.causal = causal
        self.qkv = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:  # (B, T, D) → (B, T, D)
        """`mask` (B, 1, T, T) is true where a token may look, and takes the place of the causal rule."""
        q, k, v = self.qkv(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # each (B, H, T, D/H)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=self.causal and mask is None)
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

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int,
        activation: Activation,
        *,
        causal: bool,
        norm_epsilon: float = 1e-5,
        layer_scale: bool = False,
    ) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width, norm_epsilon)
        self.attention = Attention(width, heads, causal)
        self.attention_gain = nn.Parameter(torch.ones(width)) if layer_scale else None
        self.mlp_norm = nn.LayerNorm(width, norm_epsilon)
        self.mlp = MLP(width, hidden, activation)
        self.mlp_gain = nn.Parameter(torch.ones(width)) if layer_scale else None

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:  # (B, T, D) → (B, T, D)
        attended = self.attention(self.attention_norm(tokens), mask)
        tokens = tokens + (attended if self.attention_gain is None else attended * self.attention_gain)
        mapped = self.mlp(self.mlp_norm(tokens))
        return tokens + (mapped if self.mlp_gain is None else mapped * self.mlp_gain)


def build_blocks(config: VisionTransformerConfig | TextTransformerConfig, *, causal: bool) -> nn.ModuleList:
    """The blocks of a tower."""
    return nn.ModuleList(
        Block(
            config.width,
            config.heads,
            config.hidden,
            config.activation,
            causal=causal,
            norm_epsilon=config.norm_epsilon,
            layer_scale=config.layer_scale,
        )
        for _ in range(config.depth)
    )
