"""Heat maps of towers that attend: gradient times attention, carried through the blocks (Chefer et al. 2021).

For each block, A ⊙ ∂cosine/∂A says through which attention weights a patch raises the cosine. Its positive part, the
mean over heads, is added up from block to block as R ← R + E R, where R says how much of each patch has reached each
token. What pools the tokens reads R the same way.

The forward pass is the tower's own: hooks keep queries, keys and values, from which the weights follow, and the
gradient of a head's output times the values is that of its weights.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from lexel.models.layers.attention import Attention
from lexel.models.layers.pooling import MapPool, QueryPool
from lexel.models.vision_transformer import VisionTransformer


@dataclass(slots=True)
class Heads:
    """What an attention computed for one picture, as its layers gave it: (1, T, D), or (1, D) of one token."""

    count: int
    query: Tensor = field(default_factory=lambda: torch.empty(0))
    key: Tensor = field(default_factory=lambda: torch.empty(0))
    value: Tensor = field(default_factory=lambda: torch.empty(0))
    mixed: Tensor = field(default_factory=lambda: torch.empty(0))

    def weights(self) -> Tensor:
        """A, the attention weights: (H, Q, T)."""
        query, key = self.split(self.query), self.split(self.key)
        query = query[:, : self.split(self.mixed).shape[1]]  # where one token is read, it is the first
        return (query @ key.transpose(1, 2) * query.shape[-1] ** -0.5).softmax(-1)

    def weight_gradients(self, gradient: Tensor) -> Tensor:
        """∂/∂A, where `gradient` is that of `mixed`: (H, Q, T)."""
        return self.split(gradient) @ self.split(self.value).transpose(1, 2)

    def relevance(self, gradient: Tensor) -> Tensor:
        """E, the mean over heads of the positive part of A ⊙ ∂/∂A: (Q, T)."""
        return (self.weights() * self.weight_gradients(gradient)).relu().mean(0)

    def split(self, x: Tensor) -> Tensor:
        """(1, T, D) or (1, D) → (H, T, D/H), float32."""
        return x.detach().float().view(-1, x.shape[-1]).unflatten(-1, (self.count, -1)).transpose(0, 1)


def attention_maps(tower: VisionTransformer, pixels: Tensor, texts: Tensor) -> Tensor:
    """(1, 3, H, W) normalised pixels and (N, E) unit vectors of texts → (N, grid, grid), not below 0."""
    with recorded(tower) as blocks, torch.enable_grad():
        vector = nn.functional.normalize(tower(pixels.clone().requires_grad_()).float(), dim=-1)[0]
        gradients = [
            torch.autograd.grad(text @ vector, [heads.mixed for heads in blocks], retain_graph=True) for text in texts
        ]
    maps = torch.stack([_carried(tower, blocks, gradient) for gradient in gradients])
    side = round(maps.shape[1] ** 0.5)
    return maps.view(len(texts), side, side)


def _carried(tower: VisionTransformer, blocks: list[Heads], gradients: tuple[Tensor, ...]) -> Tensor:
    """How much of each patch has reached the embedding: (patches,)."""
    carried = torch.zeros(0)
    pooled = tower.pool is not None
    layers = list(zip(blocks, gradients, strict=True))
    for heads, gradient in layers[: len(layers) - pooled]:
        relevance = heads.relevance(gradient)
        if not len(carried):
            carried = torch.eye(relevance.shape[1])
        carried = carried[: len(relevance)] + relevance @ carried
    start = torch.eye(carried.shape[1])
    first = int(tower.class_embedding is not None)  # of the patches
    if pooled:
        heads, gradient = layers[-1]
        row = (heads.relevance(gradient) @ carried)[0]
    elif tower.pooling == "class":
        row = (carried - start[: len(carried)])[0]
    else:
        row = (carried - start)[first:].mean(0)
    return row[first:]


@contextmanager
def recorded(tower: VisionTransformer) -> Iterator[list[Heads]]:
    """Within it, a forward pass of one picture fills the list: the blocks from the bottom up, then the pool."""
    found: list[Heads] = []
    hooks: list[torch.utils.hooks.RemovableHandle] = []
    for block in tower.blocks_in_order():
        attention = block.attention
        assert isinstance(attention, Attention)
        found.append(Heads(attention.heads))
        hooks += _keep_together(attention, found[-1])
    if isinstance(tower.pool, MapPool | QueryPool):
        found.append(Heads(tower.pool.heads))
        hooks += _keep_apart(tower.pool, found[-1])
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _keep_together(attention: Attention, heads: Heads) -> list[torch.utils.hooks.RemovableHandle]:
    def keep(_: nn.Module, __: tuple[Tensor], qkv: Tensor) -> None:
        heads.query, heads.key, heads.value = qkv.chunk(3, dim=-1)

    return [attention.qkv.register_forward_hook(keep), _keep_mixed(attention.output, heads)]


def _keep_apart(pool: MapPool | QueryPool, heads: Heads) -> list[torch.utils.hooks.RemovableHandle]:
    def keep(name: str):
        return lambda _, __, output: setattr(heads, name, output)

    names = ("query", "key", "value")
    return [*(getattr(pool, name).register_forward_hook(keep(name)) for name in names), _keep_mixed(pool.output, heads)]


def _keep_mixed(output: nn.Linear, heads: Heads) -> torch.utils.hooks.RemovableHandle:
    def keep(_: nn.Module, inputs: tuple[Tensor]) -> None:
        heads.mixed = inputs[0]

    return output.register_forward_pre_hook(keep)
