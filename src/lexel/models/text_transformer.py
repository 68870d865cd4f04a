"""The text tower: ids → blocks → the state of one token → one embedding a caption.

As CLIP is made, that token is end-of-text and the blocks are causal: nothing after it can reach the state that is
read, so captions may be cut to the longest of a batch, and one pays only for the tokens that are there. A tower with a
`pad_id` does see what follows (SigLIP's, CLIPA's, MobileCLIP's), and fills each row up to its context length.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lexel.models.config import TextTransformerConfig
from lexel.models.transformer import build_blocks

NO_TOKEN = 0  # what fills rows behind a caption where a tower has no pad_id; CoCa knows the padding by it


class TextTransformer(nn.Module):
    """Text tower: ids (B, T), T at most `context_length` → embeddings (B, E), not of unit length."""

    def __init__(self, config: TextTransformerConfig, embedding: int) -> None:
        super().__init__()
        width = config.width
        self.context_length = config.context_length
        self.end_of_text = config.end_of_text
        self.pad_id = config.pad_id
        self.pooling = config.pooling
        # With a weight of its own, because drawing one on the meta device would import torch's compiler.
        empty = torch.empty(config.vocabulary_size, width)
        self.token_embedding = nn.Embedding(config.vocabulary_size, width, _weight=empty)
        self.class_embedding = nn.Parameter(torch.zeros(width)) if config.pooling == "class" else None
        self.position_embedding = nn.Parameter(torch.zeros(config.context_length + (config.pooling == "class"), width))
        self.blocks = build_blocks(config, causal=config.causal)
        self.final_norm = nn.LayerNorm(width, config.norm_epsilon)
        self.projection = (
            nn.Identity()
            if config.projection == "none"
            else nn.Linear(width, embedding, bias=config.projection == "linear_bias")
        )

    def forward(self, ids: Tensor) -> Tensor:  # (B, T) → (B, E)
        if ids.ndim != 2 or not 1 <= ids.shape[1] <= self.context_length:
            raise ValueError(
                f"ids must be (B, T) with T from 1 to {self.context_length}, but their shape is {tuple(ids.shape)}"
            )
        if self.class_embedding is not None:
            return self.projection(self.final_norm(self._class_token(ids, self.class_embedding)))
        if self.pad_id is not None:
            ids = F.pad(ids, (0, self.context_length - ids.shape[1]), value=self.pad_id)
        tokens = self.token_embedding(ids) + self.position_embedding[: ids.shape[1]]  # (B, T, D)
        for block in self.blocks:
            tokens = block(tokens)
        return self.projection(self.final_norm(self._pool(tokens, ids)))

    def _pool(self, tokens: Tensor, ids: Tensor) -> Tensor:  # (B, T, D), (B, T) → (B, D)
        if self.pooling == "first":
            return tokens[:, 0]
        if self.pooling == "mean":
            return pool_words(tokens, ids, self.end_of_text)
        return tokens[:, -1] if self.pooling == "last" else pool_at_end(tokens, ids, self.end_of_text)

    def _class_token(self, ids: Tensor, class_embedding: Tensor) -> Tensor:
        """CoCa's class token behind the caption, at the last position of all. (B, T) → (B, D)."""
        # CoCa was trained with its mask of padding one place too late: the class token sees the caption and one token
        # of padding behind it, and itself only where the caption fills the context. So there is one more column of
        # padding here; no number depends on how many there are.
        ids = F.pad(ids, (0, 1), value=NO_TOKEN)
        count = ids.shape[1]
        tokens = self.token_embedding(ids) + self.position_embedding[:count]
        last = (class_embedding + self.position_embedding[-1]).expand(ids.shape[0], 1, -1)
        tokens = torch.cat([tokens, last], dim=1)  # (B, T + 2, D)
        mask = coca_mask(ids, self.context_length)
        for block in self.blocks:
            tokens = block(tokens, mask)
        return tokens[:, -1]


def pool_at_end(tokens: Tensor, ids: Tensor, end_of_text: int) -> Tensor:
    """The token at each caption's first end-of-text, or its last where there is none. (B, T, D), (B, T) → (B, D)."""
    is_end = ids == end_of_text
    end = torch.where(is_end.any(dim=1), is_end.int().argmax(dim=1), ids.shape[1] - 1)  # (B,)
    return tokens[torch.arange(tokens.shape[0], device=tokens.device), end]


def pool_words(tokens: Tensor, ids: Tensor, end_of_text: int) -> Tensor:
    """The mean of what stands between start and end-of-text; an empty caption's start. (B, T, D), (B, T) → (B, D)."""
    inside = (ids == end_of_text).cumsum(dim=1) == 0  # (B, T)
    empty = ~inside[:, 1:].any(dim=1, keepdim=True)
    words = torch.cat([empty, inside[:, 1:]], dim=1).to(tokens.dtype)
    return (tokens * words[..., None]).sum(dim=1) / words.sum(dim=1, keepdim=True)


def coca_mask(ids: Tensor, context_length: int) -> Tensor:
    """Where CoCa's tokens may look, the class token last. ids (B, T), one more than the caption → (B, 1, T + 1, T + 1).

    Each sees what is before it, and of that the first token and those that follow a real one; the class token takes
    the place of a token at `context_length`.
    """
    rows, count = ids.shape
    follows = torch.cat([ids.new_ones(rows, 1, dtype=torch.bool), ids[:, :-1] != NO_TOKEN], dim=1)  # (B, T)
    inside = torch.arange(count, device=ids.device) < context_length
    seen = torch.cat([follows & inside, follows[:, -1:] & ~inside[-1:]], dim=1)  # (B, T + 1)
    causal = torch.ones(count + 1, count + 1, dtype=torch.bool, device=ids.device).tril()
    return (seen[:, None, :] & causal)[:, None]
