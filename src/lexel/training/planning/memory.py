"""What a step holds in the memory of one device, estimated from the configuration.

Parameters, gradients and moments are counted exactly. Activations are those that the backward pass needs, uncompiled:
of Transformers by a formula, which the tests hold against what autograd really keeps, of convolutional towers by
`traced_activations`. In the tests the estimate for a pair is 0.90 to 1.08 times the value that
`micro_batch.bytes_of_a_pair` measures.
"""

from dataclasses import dataclass, fields

from lexel.architectures.config import (
    CLIPConfig,
    ConvNeXtConfig,
    ResNetConfig,
    TextTransformerConfig,
    VisionTransformerConfig,
)
from lexel.training.loss.tiles import ACCELERATOR_TILE
from lexel.training.planning.traced_activations import traced_activations

FLOAT, HALF = 4, 2  # bytes of a float32 and of a bfloat16
MOMENTS = 2  # float32 numbers that AdamW keeps of each parameter


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """Bytes on one device, at the moment when most is there."""

    weights: float  # float32, and the copies that products in bfloat16 are made with
    gradients: float
    optimizer: float
    average: float  # of the weights, where one is kept
    activations: float  # of one micro-batch
    batch: float  # bytes of the pictures of a micro-batch; embeddings of all where it is one of several
    loss: float  # gathered embeddings, their gradients, and tiles of logits

    @property
    def total(self) -> float:
        return sum(getattr(self, field.name) for field in fields(self))


def pair_activations(
    config: CLIPConfig, *, image: bool, text: bool, checkpoint: bool, number_bytes: int = HALF
) -> float | None:
    """Bytes that the backward pass needs of one pair, with a caption that fills the context; None: not known.

    `image` and `text` say which towers learn. `checkpoint` computes the blocks' activations again. `number_bytes` are 2
    where products are computed in bfloat16, 4 in float32.
    """
    total = 0.0
    if image:
        tower = config.image
        match tower:
            case VisionTransformerConfig():
                total += image_activations(tower, tower.image_size, tower.patch_dropout, checkpoint, number_bytes)
            case ResNetConfig() | ConvNeXtConfig():
                total += traced_activations(
                    tower, config.embedding, tower.image_size, checkpoint=checkpoint, number_bytes=number_bytes
                )
            case _:
                return None
    if text:
        if not isinstance(config.text, TextTransformerConfig):
            return None
        total += text_activations(config.text, config.text.context_length, checkpoint, number_bytes)
    return total


def image_activations(
    config: VisionTransformerConfig,
    image_size: int,
    patch_dropout: float,
    checkpoint: bool,
    number_bytes: int = HALF,
) -> float:
    """Bytes that the backward pass through the image tower needs of one image."""
    patches = (image_size // config.patch_size) ** 2
    tokens = max(1, round(patches * (1 - patch_dropout))) + (1 if config.has_class_token else 0)
    copy = number_bytes if number_bytes < FLOAT else 0  # of the normalised pixels, as the convolution takes them
    stem = 3 * image_size**2 * (FLOAT + copy)
    before = FLOAT * tokens * config.width if config.pre_norm else 0
    return stem + before + _blocks(config, tokens, config.pooling == "class", checkpoint, number_bytes)


def text_activations(config: TextTransformerConfig, tokens: float, checkpoint: bool, number_bytes: int = HALF) -> float:
    """Bytes that the backward pass through the text tower needs of one caption of `tokens` tokens."""
    if config.sees_padding:
        tokens = config.context_length
    return _blocks(config, tokens, config.pooling != "mean", checkpoint, number_bytes)


def _blocks(
    config: VisionTransformerConfig | TextTransformerConfig,
    tokens: float,
    reads_one: bool,
    checkpoint: bool,
    number_bytes: int,
) -> float:
    """Of all blocks; where one token is read, the last block needs most of it for that one only."""
    width, low = config.width, number_bytes
    attention_input = tokens * (
        (FLOAT + low) * width + low * 3 * width + 2 * FLOAT
    )  # into the norm, out of it, q, k, v
    attention = tokens * (low * width + FLOAT * config.heads)  # and the logarithms of its sums
    mlp = tokens * ((FLOAT + low) * width + 2 * low * config.hidden + 2 * FLOAT)  # around the activation too
    each = attention_input + attention + mlp
    if checkpoint:
        return config.depth * FLOAT * tokens * width + each
    return (config.depth - 1) * each + (attention_input if reads_one else each)


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
    remembers: bool = False,
    number_bytes: int = HALF,
) -> DeviceMemory:
    """The memory of one of `processes` devices, each with `local_batch` pairs of a batch, `micro_batch` at a time.

    `parameters` of which `learned` have gradients; `sharded` spreads them over the processes. Products are computed in
    numbers of `number_bytes`. Where the run `remembers`, each process holds the starting model too, whole.
    """
    spread = processes if sharded else 1
    cached = micro_batch < local_batch
    vectors = 2 * FLOAT * config.embedding  # of a pair
    rows, columns = ACCELERATOR_TILE
    tile = min(rows, local_batch) * min(columns, batch_size)
    return DeviceMemory(
        weights=parameters * (FLOAT + (number_bytes if number_bytes < FLOAT else 0)) * (1 / spread + remembers),
        gradients=learned * FLOAT / spread,
        optimizer=learned * MOMENTS * FLOAT / spread,
        average=learned * FLOAT / spread if averaged else 0.0,
        activations=micro_batch * activations_per_pair,
        batch=micro_batch * 3 * config.image.image_size**2 + (2 * vectors * local_batch if cached else 0),
        loss=2 * vectors * batch_size + 2 * FLOAT * tile,
    )
