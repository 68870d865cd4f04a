"""Pooling of an image's tokens by attention: one learned query, or probe, looks at all of them.

Two towers end so, each in its own way: SigLIP's (a residual MLP behind the attention) and CoCa's (many queries, of
which the first serves to compare and the others would feed the captioner).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lexel.architectures.config import VisionTransformerConfig
from lexel.models.layers.transformer import MLP


class MapPool(nn.Module):
    """SigLIP's multi-head attention pooling (Zhai et al. 2022, 2023). (B, T, D) → (B, D)."""

    def __init__(self, config: VisionTransformerConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.pooling_heads or config.heads
        self.probe = nn.Parameter(torch.zeros(width))
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width, config.norm_epsilon)
        self.mlp = MLP(width, config.hidden, config.activation)

    def forward(self, tokens: Tensor) -> Tensor:
        query = self.query(self.probe).expand(tokens.shape[0], -1)
        pooled = self.output(attend(query, self.key(tokens), self.value(tokens), self.heads))
        return pooled + self.mlp(self.norm(pooled))


class QueryPool(nn.Module):
    """CoCa's attention pooling (Yu et al. 2022), read at its first query. (B, T, D) → (B, E)."""

    def __init__(self, config: VisionTransformerConfig, embedding: int) -> None:
        super().__init__()
        self.heads = config.pooling_heads or config.heads
        self.queries = nn.Parameter(torch.zeros(config.pooling_queries, embedding))
        self.query_norm = nn.LayerNorm(embedding, config.norm_epsilon)
        self.key_norm = nn.LayerNorm(config.width, config.norm_epsilon)
        self.query = nn.Linear(embedding, embedding)
        self.key = nn.Linear(config.width, embedding)
        self.value = nn.Linear(config.width, embedding)
        self.output = nn.Linear(embedding, embedding)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = self.key_norm(tokens)
        query = self.query(self.query_norm(self.queries[0])).expand(tokens.shape[0], -1)
        return self.output(attend(query, self.key(tokens), self.value(tokens), self.heads))

    def every(self, tokens: Tensor) -> Tensor:
        """What every query takes: the first for the embedding, the rest for CoCa's decoder. (B, T, D) → (B, Q, E)."""
        tokens = self.key_norm(tokens)
        inputs = (self.query(self.query_norm(self.queries))[None], self.key(tokens), self.value(tokens))
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in inputs)
        return self.output(
            F.scaled_dot_product_attention(q.expand(len(k), -1, -1, -1), k, v).transpose(1, 2).flatten(2)
        )


def attend(query: Tensor, keys: Tensor, values: Tensor, heads: int) -> Tensor:
    """What one query per image takes from its tokens. (B, D), (B, T, D), (B, T, D) → (B, D)."""
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query[:, None], keys, values))  # (B, H, ·, D/H)
    return F.scaled_dot_product_attention(q, k, v).flatten(1)
