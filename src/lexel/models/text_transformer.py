"""The text tower: ids → causal blocks → the state at end-of-text → one embedding a caption.

Nothing after end-of-text can reach the state that is read, so captions may be cut to the longest of a batch: the
embeddings are those of the padded ones, and one pays only for the tokens that are there.
"""

import torch
from torch import Tensor, nn

from lexel.models.config import TextTransformerConfig
from lexel.models.transformer import Block


class TextTransformer(nn.Module):
    """Text tower: ids (B, T), T at most `context_length` → embeddings (B, E), not of unit length."""

    def __init__(self, config: TextTransformerConfig, embedding: int) -> None:
        super().__init__()
        width = config.width
        self.end_of_text = config.end_of_text
        self.token_embedding = nn.Embedding(config.vocabulary_size, width)
        self.position_embedding = nn.Parameter(torch.zeros(config.context_length, width))
        self.blocks = nn.ModuleList(
            Block(width, config.heads, config.mlp_ratio, config.activation, causal=True) for _ in range(config.depth)
        )
        self.final_norm = nn.LayerNorm(width)
        self.projection = nn.Linear(width, embedding, bias=False)

    def forward(self, ids: Tensor) -> Tensor:  # (B, T) → (B, E)
        if ids.ndim != 2 or not 1 <= ids.shape[1] <= len(self.position_embedding):
            raise ValueError(
                f"ids must be (B, T) with T from 1 to {len(self.position_embedding)}, "
                f"but their shape is {tuple(ids.shape)}"
            )
        tokens = self.token_embedding(ids) + self.position_embedding[: ids.shape[1]]  # (B, T, D)
        for block in self.blocks:
            tokens = block(tokens)
        return self.projection(self.final_norm(pool_at_end(tokens, ids, self.end_of_text)))


def pool_at_end(tokens: Tensor, ids: Tensor, end_of_text: int) -> Tensor:
    """The token at each caption's first end-of-text, or its last where there is none. (B, T, D), (B, T) → (B, D)."""
    is_end = ids == end_of_text
    end = torch.where(is_end.any(dim=1), is_end.int().argmax(dim=1), ids.shape[1] - 1)  # (B,)
    return tokens[torch.arange(tokens.shape[0], device=tokens.device), end]
