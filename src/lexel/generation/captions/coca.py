"""CoCa's own decoder (Yu et al. 2022), as OpenCLIP's checkpoints bring it.

The text tower, without its class token, gives a state for each token so far; further blocks mix these among themselves
and then with what the image tower's other queries have taken from the picture, and name the next token.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import PositiveInt
from torch import Tensor, nn

from lexel.architectures.config import Activation
from lexel.checkpoints.formats.open_clip.tensors import BLOCK, LAYER_SCALE
from lexel.checkpoints.formats.tensor_tables import TensorRow, repeated, table, to_ours
from lexel.config import Config
from lexel.errors import ModelError
from lexel.generation.captions.decoder import KeysAndValues
from lexel.models.clip import CLIP
from lexel.models.layers.transformer import MLP, Block
from lexel.models.text_transformer import NO_TOKEN, TextTransformer
from lexel.models.vision_transformer import VisionTransformer

HEAD_WIDTH = 64  # of the published models, where no configuration says how many heads there are
PREFIX = "text_decoder."
CROSS = table(("ln_1_kv.*", "context_norm.*"))
ENDS = table(("ln_final.*", "final_norm.*"), ("text_projection", "projection.weight", "transposed"))


class CoCaConfig(Config):
    """The sizes of the decoder's own part."""

    vocabulary_size: PositiveInt
    width: PositiveInt
    depth: PositiveInt
    heads: PositiveInt
    activation: Activation = "gelu"
    layer_scale: bool = False


class CrossBlock(nn.Module):
    """Tokens look at the picture, then an MLP; each reads a normalised copy of the tokens and adds to them."""

    def __init__(self, config: CoCaConfig) -> None:
        super().__init__()
        width = config.width
        self.attention_norm, self.context_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = CrossAttention(width, config.heads)
        self.attention_gain = nn.Parameter(torch.ones(width)) if config.layer_scale else None
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = MLP(width, 4 * width, config.activation)
        self.mlp_gain = nn.Parameter(torch.ones(width)) if config.layer_scale else None

    def forward(self, tokens: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """(B, T, D) → (B, T, D); what is looked at are `keys_and_values`."""
        attended = self.attention(self.attention_norm(tokens), keys, values)
        tokens = tokens + _gained(attended, self.attention_gain)
        return tokens + _gained(self.mlp(self.mlp_norm(tokens)), self.mlp_gain)

    def keys_and_values(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Of what the picture has (B, Q, D), once for all tokens: (B, H, Q, D/H) each."""
        return self.attention.keys_and_values(self.context_norm(context))


class CrossAttention(nn.Module):
    """Attention to something else. Query, key and value lie in one linear layer, as OpenCLIP stores them."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, tokens: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        weight, bias = self.qkv.weight.chunk(3)[0], self.qkv.bias.chunk(3)[0]
        query = F.linear(tokens, weight, bias).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        return self.output(F.scaled_dot_product_attention(query, keys, values).transpose(1, 2).flatten(2))

    def keys_and_values(self, context: Tensor) -> tuple[Tensor, Tensor]:
        width = self.output.in_features
        both = F.linear(context, self.qkv.weight[width:], self.qkv.bias[width:])
        keys, values = both.unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return keys, values


class CoCaCache:
    """Keys and values of the text tower's blocks and the decoder's, and those of the picture."""

    def __init__(self, text: int, own: int, pictures: list[tuple[Tensor, Tensor]]) -> None:
        self.text, self.own, self.pictures = KeysAndValues(text), KeysAndValues(own), pictures

    def choose(self, rows: Tensor) -> None:
        """Keep these rows (N,), in this order."""
        self.text.choose(rows)
        self.own.choose(rows)
        self.pictures = [(keys[rows], values[rows]) for keys, values in self.pictures]


class CoCaDecoder(nn.Module):
    """A Stepper whose vectors are pictures: what the image tower's queries have taken from them (B, Q, D)."""

    def __init__(self, config: CoCaConfig) -> None:
        super().__init__()
        block = (config.width, config.heads, 4 * config.width, config.activation)
        self.blocks = nn.ModuleList(
            Block(*block, causal=True, layer_scale=config.layer_scale) for _ in range(config.depth)
        )
        self.cross_blocks = nn.ModuleList(CrossBlock(config) for _ in range(config.depth))
        self.final_norm = nn.LayerNorm(config.width)
        self.projection = nn.Linear(config.width, config.vocabulary_size, bias=False)


class CoCaStepper:
    """The decoder with the text tower that it stands on."""

    def __init__(self, decoder: CoCaDecoder, clip: CLIP) -> None:
        if not isinstance(clip.text, TextTransformer) or clip.text.class_embedding is None:
            raise ModelError("The checkpoint has CoCa's decoder, but its text tower is not CoCa's.")
        self.decoder, self.text = decoder, clip.text

    def start(self, vectors: Tensor, first: int) -> tuple[Tensor, CoCaCache]:
        """Pictures (B, Q, D) → log-odds (B, V) of what comes behind the token `first`, and the cache to go on with."""
        pictures = [block.keys_and_values(vectors) for block in self.decoder.cross_blocks]  # pyright: ignore
        cache = CoCaCache(len(self.text.blocks), len(self.decoder.blocks), pictures)
        return self.next(torch.full((len(vectors),), first, device=vectors.device), cache), cache

    def next(self, ids: Tensor, cache: CoCaCache) -> Tensor:
        """The tokens (B,) that were chosen → log-odds (B, V) of the next ones.

        The id that CoCa takes for padding ends a sentence too: its log-odds count for the end's, and it is never said.
        """
        place = cache.text.length
        tokens = self.text.token_embedding(ids[:, None]) + self.text.position_embedding[place]
        for number, block in enumerate(self.text.blocks):
            tokens = _cached(block, tokens, cache.text, number)
        blocks = zip(self.decoder.blocks, self.decoder.cross_blocks, cache.pictures, strict=True)
        for number, (block, cross, (keys, values)) in enumerate(blocks):
            tokens = cross(_cached(block, tokens, cache.own, number), keys, values)
        logits = self.decoder.projection(self.decoder.final_norm(tokens[:, -1]))
        end = self.text.end_of_text
        logits[:, end] = torch.maximum(logits[:, end], logits[:, NO_TOKEN])
        return logits


def look_at(clip: CLIP, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 3, H, W) → embeddings (B, E), not of unit length, and what the decoder looks at (B, Q, D)."""
    image = clip.image
    if not isinstance(image, VisionTransformer) or image.pooling != "attention":
        raise ModelError("The checkpoint has CoCa's decoder, but its image tower is not CoCa's.")
    pooled = image.pooled_tokens(pixels)
    return image.projection(pooled[:, 0]), pooled[:, 1:]


def read_coca_decoder(
    arrays: Mapping[str, np.ndarray], configuration: Mapping[str, Any] | None, activation: Activation, where: str
) -> CoCaDecoder:
    """The decoder of a checkpoint's arrays. Raises ModelError where it has none, or one that does not fit together."""
    theirs = {name.removeprefix(PREFIX): array for name, array in arrays.items() if name.startswith(PREFIX)}
    if "text_projection" not in theirs:
        raise ModelError(
            f"{where} has no decoder: it is no CoCa. Train one: lexel caption train MODEL SOURCE -o captioner/"
        )
    width, vocabulary = theirs["text_projection"].shape
    settings = dict((configuration or {}).get("multimodal_cfg", {}))
    depth = 1 + max(int(name.split(".")[1]) for name in theirs if name.startswith("resblocks."))
    config = CoCaConfig(
        vocabulary_size=vocabulary,
        width=width,
        depth=depth,
        heads=settings.get("heads", 8) if configuration else max(1, width // HEAD_WIDTH),
        activation=activation,
        layer_scale="resblocks.0.ls_1.gamma" in theirs,
    )
    if width % config.heads:
        raise ModelError(f"{where}: a decoder of width {width} cannot have {config.heads} heads.")
    with torch.device("meta"):
        decoder = CoCaDecoder(config)
    shapes = {name: tuple(tensor.shape) for name, tensor in decoder.state_dict().items()}
    weights = to_ours(coca_rows(config), theirs, shapes, where)
    decoder.load_state_dict({name: torch.from_numpy(value).float() for name, value in weights.items()}, assign=True)
    return decoder.eval()


def coca_rows(config: CoCaConfig) -> list[TensorRow]:
    """The table of the decoder's tensors, theirs without the prefix."""
    block = [*BLOCK, *(LAYER_SCALE if config.layer_scale else [])]
    return [
        *repeated(config.depth, "resblocks.N.", "blocks.N.", block),
        *repeated(config.depth, "cross_attn.N.", "cross_blocks.N.", [*block, *CROSS]),
        *ENDS,
    ]


def _cached(block: nn.Module, tokens: Tensor, cache: KeysAndValues, number: int) -> Tensor:
    """A block of the towers' kind on one further token of each row. (B, 1, D) → (B, 1, D)."""
    assert isinstance(block, Block)
    attention = block.attention
    mixed = attention.qkv(block.attention_norm(tokens)).unflatten(-1, (3, attention.heads, -1))
    query, key, value = mixed.permute(2, 0, 3, 1, 4)
    keys, values = cache.extend(number, key, value)
    attended = attention.output(F.scaled_dot_product_attention(query, keys, values).transpose(1, 2).flatten(2))
    tokens = tokens + _gained(attended, block.attention_gain)
    return tokens + _gained(block.mlp(block.mlp_norm(tokens)), block.mlp_gain)


def _gained(branch: Tensor, gain: Tensor | None) -> Tensor:
    return branch if gain is None else branch * gain
