"""The captioner's decoder: a small causal Transformer from a vector of the shared space to a sentence.

The vector becomes a few prefix tokens (as in ClipCap, Mokady et al. 2021), and the sentence follows token by token.
Letters of the shapes: B rows, P prefix tokens, T tokens, H heads, D width, E embedding, V vocabulary.
"""

from typing import Self

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from lexel.config import Config
from lexel.models.layers.transformer import MLP

INITIAL_STD = 0.02


class DecoderConfig(Config):
    """The sizes of a decoder."""

    embedding: PositiveInt  # E, of the shared space
    vocabulary_size: PositiveInt
    context_length: int = Field(default=40, ge=3)  # tokens of a caption, with start and end
    width: PositiveInt = 192
    depth: PositiveInt = 2
    heads: PositiveInt = 4
    prefix: PositiveInt = 4  # tokens that the vector becomes
    dropout: float = Field(default=0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        return self


class KeysAndValues:
    """What attention has computed for the tokens so far, of every block: the key-value cache."""

    def __init__(self, blocks: int) -> None:
        self._of_block: list[tuple[Tensor, Tensor] | None] = [None] * blocks

    @property
    def length(self) -> int:
        """Tokens so far."""
        first = self._of_block[0]
        return 0 if first is None else first[0].shape[2]

    def extend(self, block: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append (B, H, T, D/H) of new tokens; returns those of all tokens."""
        before = self._of_block[block]
        if before is not None:
            keys, values = torch.cat([before[0], keys], 2), torch.cat([before[1], values], 2)
        self._of_block[block] = keys, values
        return keys, values

    def choose(self, rows: Tensor) -> None:
        """Keep these rows (N,), in this order; a row may be kept several times."""
        for number, kept in enumerate(self._of_block):
            if kept is not None:
                self._of_block[number] = kept[0][rows], kept[1][rows]


class CaptionBlock(nn.Module):
    """Causal self-attention, then an MLP; each reads a normalised copy of the tokens and adds to them."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.attention_norm = nn.LayerNorm(config.width)
        self.query_key_value = nn.Linear(config.width, 3 * config.width)
        self.attention_out = nn.Linear(config.width, config.width)
        self.mlp_norm = nn.LayerNorm(config.width)
        self.mlp = MLP(config.width, 4 * config.width, "gelu")
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens: Tensor, cache: KeysAndValues | None = None, number: int = 0) -> Tensor:
        """(B, T, D) → (B, T, D). With a `cache` the tokens follow those in it; then T is 1, or the cache empty."""
        b, t, d = tokens.shape
        mixed = self.query_key_value(self.attention_norm(tokens))
        query, key, value = mixed.view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)  # (B, H, T, D/H)
        if cache is not None:
            key, value = cache.extend(number, key, value)
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=t > 1)
        tokens = tokens + self.dropout(self.attention_out(attended.transpose(1, 2).reshape(b, t, d)))
        return tokens + self.dropout(self.mlp(self.mlp_norm(tokens)))


class CaptionDecoder(nn.Module):
    """Gives the log-odds of each next token, after a vector and the tokens so far."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.to_prefix = nn.Linear(config.embedding, config.prefix * config.width)
        self.token_embedding = nn.Embedding(config.vocabulary_size, config.width)  # also the output's matrix
        self.position_embedding = nn.Parameter(torch.empty(config.prefix + config.context_length, config.width))
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(CaptionBlock(config) for _ in range(config.depth))
        self.final_norm = nn.LayerNorm(config.width)

    def init_weights(self, seed: int) -> None:
        """Draw all weights: normal with INITIAL_STD, what ends a residual branch smaller by √(2 · depth)."""
        random = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            with torch.no_grad():
                if "norm" in name or name.endswith("bias"):
                    parameter.fill_(1.0 if "norm" in name and name.endswith("weight") else 0.0)
                else:
                    ends_branch = name.endswith(("attention_out.weight", "mlp.contract.weight"))
                    std = INITIAL_STD / (2 * self.config.depth) ** 0.5 if ends_branch else INITIAL_STD
                    if name == "to_prefix.weight":
                        std = 1.0  # a unit vector has coordinates of 1/√E
                    parameter.normal_(0, std, generator=random)

    def forward(self, vectors: Tensor, ids: Tensor) -> Tensor:
        """vectors (B, E), ids (B, T) → log-odds (B, T, V) of the token behind each of the ids."""
        return self._run(vectors, ids)[:, self.config.prefix :]

    def start(self, vectors: Tensor, first: int) -> tuple[Tensor, KeysAndValues]:
        """vectors (B, E) → log-odds (B, V) of what comes behind the token `first`, and the cache to go on with."""
        cache = KeysAndValues(len(self.blocks))
        ids = torch.full((len(vectors), 1), first, dtype=torch.int64, device=vectors.device)
        return self._run(vectors, ids, cache)[:, -1], cache

    def next(self, ids: Tensor, cache: KeysAndValues) -> Tensor:
        """The tokens (B,) that were chosen → log-odds (B, V) of the next ones."""
        return self._run(None, ids[:, None], cache)[:, -1]

    def _run(self, vectors: Tensor | None, ids: Tensor, cache: KeysAndValues | None = None) -> Tensor:
        tokens = self.token_embedding(ids)
        if vectors is not None:
            prefix = self.to_prefix(vectors).view(len(vectors), self.config.prefix, self.config.width)
            tokens = torch.cat([prefix.to(tokens.dtype), tokens], 1)
        start = 0 if cache is None else cache.length
        tokens = self.dropout(tokens + self.position_embedding[start : start + tokens.shape[1]])
        for number, block in enumerate(self.blocks):
            tokens = block(tokens, cache, number)
        return F.linear(self.final_norm(tokens), self.token_embedding.weight)
