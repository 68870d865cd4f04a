"""What a step holds in the memory of one device, estimated from the configuration.

Parameters, gradients and moments are counted exactly. Activations are those that the backward pass of a Transformer
needs under bfloat16 autocast, uncompiled; the tests hold them against what autograd really keeps. Of a pair they are
0.90 to 1.08 times what `micro_batch.bytes_of_a_pair` finds by trying on a CPU, on the towers of these tests.
"""

from dataclasses import dataclass, fields

from lexel.models.config import CLIPConfig, TextTransformerConfig, VisionTransformerConfig
from lexel.training.loss.tiles import ACCELERATOR_TILE

FLOAT, HALF = 4, 2  # bytes of a float32 and of a bfloat16
MOMENTS = 2  # float32 numbers that AdamW keeps of each parameter


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """Bytes on one device, at the moment when most is there."""

    weights: float  # float32, and the copies in bfloat16 that products are made with
    gradients: float
    optimizer: float
    average: float  # of the weights, where one is kept
    activations: float  # of one micro-batch
    batch: float  # bytes of the pictures of a micro-batch; embeddings of all where it is one of several
    loss: float  # gathered embeddings, their gradients, and tiles of logits

    @property
    def total(self) -> float:
        return sum(getattr(self, field.name) for field in fields(self))


def image_activations(
    config: VisionTransformerConfig, image_size: int, patch_dropout: float, checkpoint: bool
) -> float:
    """Bytes that the backward pass through the image tower needs of one image."""
    patches = (image_size // config.patch_size) ** 2
    tokens = max(1, round(patches * (1 - patch_dropout))) + config.has_class_token
    stem = 3 * image_size**2 * (FLOAT + HALF)  # normalised, and as the convolution takes them
    before = FLOAT * tokens * config.width * config.pre_norm
    return stem + before + _blocks(config, tokens, config.pooling == "class", checkpoint)


def text_activations(config: TextTransformerConfig, tokens: float, checkpoint: bool) -> float:
    """Bytes that the backward pass through the text tower needs of one caption of `tokens` tokens."""
    if config.sees_padding:
        tokens = config.context_length
    return _blocks(config, tokens, config.pooling != "mean", checkpoint)


def _blocks(
    config: VisionTransformerConfig | TextTransformerConfig, tokens: float, reads_one: bool, checkpoint: bool
) -> float:
    """Of all blocks; where one token is read, the last block needs most of it for that one only."""
    width = config.width
    looked_at = tokens * ((FLOAT + HALF) * width + HALF * 3 * width + 2 * FLOAT)  # into the norm, out of it, q, k, v
    mixed = tokens * (HALF * width + FLOAT * config.heads)  # and the logarithms of attention's sums
    mapped = tokens * ((FLOAT + HALF) * width + 2 * HALF * config.hidden + 2 * FLOAT)  # around the activation too
    each = looked_at + mixed + mapped
    if checkpoint:
        return config.depth * FLOAT * tokens * width + each
    return (config.depth - 1) * each + (looked_at if reads_one else each)


def step_memory(
    config: CLIPConfig,
    parameters: int,
    learned: int,
    *,
    activations_per_pair: float,
    micro_batch: int,
    local_batch: int,
    batch_size: int,
    processes: int,
    sharded: bool,
    averaged: bool,
) -> DeviceMemory:
    """The memory of one of `processes` devices, each with `local_batch` pairs of a batch, `micro_batch` at a time.

    `parameters` of which `learned` have gradients; `sharded` spreads them over the processes.
    """
    spread = processes if sharded else 1
    cached = micro_batch < local_batch
    vectors = 2 * FLOAT * config.embedding  # of a pair
    rows, columns = ACCELERATOR_TILE
    tile = min(rows, local_batch) * min(columns, batch_size)
    return DeviceMemory(
        weights=parameters * (FLOAT + HALF) / spread,
        gradients=learned * FLOAT / spread,
        optimizer=learned * MOMENTS * FLOAT / spread,
        average=learned * FLOAT * averaged / spread,
        activations=micro_batch * activations_per_pair,
        batch=micro_batch * 3 * config.image.image_size**2 + 2 * vectors * local_batch * cached,
        loss=2 * vectors * batch_size + 2 * FLOAT * tile,
    )
