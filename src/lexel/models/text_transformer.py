"""The text tower: ids → blocks → the state of one token, or the mean of the words' → one embedding a caption.

As CLIP is made, that token is end-of-text and the blocks are causal: nothing after it can reach the state that is
read, so no token after it is processed: captions are packed, and one pays only for the tokens that are there. A tower
with a `pad_id` does see what follows (SigLIP's, CLIPA's, MobileCLIP's), and fills each row up to its context length.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lexel.architectures.config import TextTransformerConfig
from lexel.models.layers.packing import Group, Packing, cut_by_length, first_end
from lexel.models.layers.transformer import Blocks
from lexel.models.towers import Tower

NO_TOKEN = 0  # what fills rows behind a caption where a tower has no pad_id; CoCa knows the padding by it


class TextTransformer(Tower):
    """Text tower: ids (B, T), T at most `context_length` → embeddings (B, E), not of unit length."""

    can_checkpoint = True

    def __init__(self, config: TextTransformerConfig, embedding: int) -> None:
        super().__init__(config.kind)
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
        self.blocks = Blocks(config, causal=config.causal)
        self.final_norm = nn.LayerNorm(width, config.norm_epsilon)
        self.projection = (
            nn.Identity()
            if config.projection == "none"
            else nn.Linear(width, embedding, bias=config.projection == "linear_bias")
        )

    @property
    def can_compile(self) -> bool:
        """Where it sees its padding: otherwise captions are packed, into other shapes in each batch."""
        return self.pad_id is not None

    def compile_training(self) -> None:
        self.blocks.compile_training()

    def blocks_in_order(self) -> list[nn.Module]:
        return list(self.blocks)

    def forward(self, ids: Tensor) -> Tensor:  # (B, T) → (B, E)
        if ids.ndim != 2 or not 1 <= ids.shape[1] <= self.context_length:
            raise ValueError(
                f"ids must be (B, T) with T from 1 to {self.context_length}, but their shape is {tuple(ids.shape)}"
            )
        if self.pad_id is not None:
            ids = F.pad(ids, (0, self.context_length - ids.shape[1]), value=self.pad_id)
        elif not (torch.compiler.is_compiling() or ids.is_meta) and ids.shape[0]:  # what follows hangs on their values
            order, stretches = cut_by_length(self._needed(ids), few_shapes=self._compiles_shapes())
            if len(stretches) > 1:
                ids = ids[order]
                states = self._packed([ids[part.start : part.stop, : part.length] for part in stretches])
                return self.projection(self.final_norm(states))[order.argsort()]
            ids = ids[:, : stretches[0].length]
        return self.projection(self.final_norm(self._states(ids)))

    def _compiles_shapes(self) -> bool:
        """Whether matrix products compile code for each shape that they see for the first time."""
        # As oneDNN does, which computes them for a CPU in bfloat16 (docs/experiments.md).
        weight = self.position_embedding
        autocast = torch.is_autocast_enabled(weight.device.type)
        dtype = torch.get_autocast_dtype(weight.device.type) if autocast else weight.dtype
        return weight.device.type == "cpu" and dtype == torch.bfloat16

    def _needed(self, ids: Tensor) -> Tensor:
        """How many tokens of each caption reach its embedding. (B, T) → (B,)."""
        if self.pooling == "first":
            return torch.ones_like(ids[:, 0])
        if self.pooling == "class":
            return last_place(ids != NO_TOKEN) + 1
        ends = first_end(ids, self.end_of_text)
        if self.pooling == "end":
            return (ends + 1).clamp(max=ids.shape[1])
        return ends.clamp(min=1)  # the mean is without the end, which no word sees

    def _states(self, ids: Tensor) -> Tensor:  # (B, T) → (B, D)
        """The state of each caption, padded as they are."""
        ids = self._with_column(ids)
        tokens = self._place(self.token_embedding(ids))
        read = self._read(ids)
        tokens = self.blocks(tokens, self._mask(ids), read, recomputed=self.training and self.checkpoint_activations)
        return tokens if read is not None else pool_words(tokens, ids, self.end_of_text)

    def _packed(self, captions: list[Tensor]) -> Tensor:  # each (rows, T) → (B, D)
        """The same of captions in groups of about equal length."""
        captions = [self._with_column(ids) for ids in captions]
        words = self.token_embedding(torch.cat([ids.flatten() for ids in captions]))
        parts = zip(words.split([ids.numel() for ids in captions]), captions, strict=True)
        tokens = [self._place(part.unflatten(0, tuple(ids.shape))) for part, ids in parts]
        groups = zip(tokens, captions, strict=True)
        packing = Packing(tuple(Group(part.shape[0], part.shape[1], self._mask(ids)) for part, ids in groups))
        read = join_places([self._read(ids) for ids in captions])
        states = self.blocks(
            torch.cat([part.flatten(0, 1) for part in tokens]),
            read=read,
            packing=packing,
            recomputed=self.training and self.checkpoint_activations,
        )
        if read is not None:
            return states
        pooled = zip(packing.split(states), captions, strict=True)
        return torch.cat([pool_words(part, ids, self.end_of_text) for part, ids in pooled])

    def _with_column(self, ids: Tensor) -> Tensor:
        """The ids, for CoCa with one more column of padding."""
        # CoCa was trained with its mask of padding one place too late: the class token sees the caption and one token
        # of padding behind it, and itself only where the caption fills the context. No number depends on how much
        # padding there is.
        return ids if self.class_embedding is None else F.pad(ids, (0, 1), value=NO_TOKEN)

    def _place(self, words: Tensor) -> Tensor:
        """Words at their positions, behind them CoCa's class token at the last position of all. (B, T, D) → alike."""
        tokens = words + self.position_embedding[: words.shape[1]]
        if self.class_embedding is None:
            return tokens
        last = (self.class_embedding + self.position_embedding[-1]).expand(words.shape[0], 1, -1)
        return torch.cat([tokens, last], dim=1)

    def _mask(self, ids: Tensor) -> Tensor | None:
        return None if self.class_embedding is None else coca_mask(ids, self.context_length)

    def _read(self, ids: Tensor) -> Tensor | int | None:
        """The place of the token that is pooled, in each row or the same in all; None where many are."""
        match self.pooling:
            case "end":
                return first_end(ids, self.end_of_text).clamp(max=ids.shape[1] - 1)
            case "first":
                return 0
            case "last" | "class":
                return -1
            case "mean":
                return None


def last_place(holds: Tensor) -> Tensor:
    """The last place of each row at which something holds, or the first of all. (B, T) → (B,)."""
    places = torch.arange(holds.shape[1], device=holds.device)
    return (holds * places).amax(dim=1)


def join_places(places: list[Tensor | int | None]) -> Tensor | int | None:
    """Places in the rows of groups, as places in the rows of all."""
    tensors = [place for place in places if isinstance(place, Tensor)]
    return torch.cat(tensors) if tensors else places[0]


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
