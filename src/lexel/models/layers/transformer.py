"""The pre-LayerNorm Transformer block that both towers are built of.

Where only one token of each row is pooled in the end, the last block computes only that token: it attends to all
others, but these need no query, no attention output and no MLP.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lexel.architectures.config import Activation, TextTransformerConfig, VisionTransformerConfig
from lexel.models.layers.attention import Attention
from lexel.models.layers.packing import Packing, take


class QuickGELU(nn.Module):
    """OpenAI's approximation of GELU; a model trained with it is wrong without it."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class TanhGELU(nn.GELU):
    """The approximation of GELU by tanh, which JAX means by GELU."""

    def __init__(self) -> None:
        super().__init__(approximate="tanh")


ACTIVATIONS: dict[Activation, type[nn.Module]] = {"gelu": nn.GELU, "quick_gelu": QuickGELU, "gelu_tanh": TanhGELU}


class MLP(nn.Module):
    """Two linear layers around the activation, on each token separately."""

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

    def forward(
        self,
        tokens: Tensor,
        mask: Tensor | None = None,
        read: Tensor | int | None = None,
        packing: Packing | None = None,
    ) -> Tensor:
        """(B, T, D) → (B, T, D), or (B, D) of the tokens at `read`; with `packing` from (S, D). See `Attention`."""
        attended = self.attention(self.attention_norm(tokens), mask, read, packing)
        if read is not None:
            tokens = take(tokens, read) if packing is None else packing.take(tokens, read)
        tokens = tokens + (attended if self.attention_gain is None else attended * self.attention_gain)
        mapped = self.mlp(self.mlp_norm(tokens))
        return tokens + (mapped if self.mlp_gain is None else mapped * self.mlp_gain)


class Blocks(nn.ModuleList):
    """The blocks of a tower, one after the other."""

    def __init__(self, config: VisionTransformerConfig | TextTransformerConfig, *, causal: bool) -> None:
        super().__init__(
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
        self._compiled: list[Callable[..., Tensor]] = []

    def compile_training(self) -> None:
        """From now on training passes run compiled blocks; the parameters and their names stay what they are."""
        # Never choose a kernel by how fast it happened to be.
        options: dict[str, str | int | bool | Callable[..., object]] = {"deterministic": True}
        self._compiled = [torch.compile(block, dynamic=False, options=options) for block in self]

    def forward(
        self,
        tokens: Tensor,
        mask: Tensor | None = None,
        read: Tensor | int | None = None,
        packing: Packing | None = None,
        *,
        recomputed: bool = False,
    ) -> Tensor:
        """As a block; only the last one gets `read`. `recomputed`: the backward pass computes activations again."""
        for number, block in enumerate(self._compiled if self.training and self._compiled else self, start=1):
            arguments = (tokens, mask, read if number == len(self) else None, packing)
            tokens = recompute(block, *arguments) if recomputed else block(*arguments)
        return tokens


def recompute(block: Callable[..., Tensor], *arguments: object) -> Tensor:
    """Activation checkpointing (Chen et al. 2016): the output of `block`, whose activations are computed again in the
    backward pass instead of being kept.

    The block must not draw random numbers, nor change a state, as BatchNorm does.
    """
    return checkpoint(block, *arguments, use_reentrant=False, preserve_rng_state=False)
