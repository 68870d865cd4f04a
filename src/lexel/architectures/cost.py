"""What an architecture costs: parameters, and arithmetic for one image and one caption.

Counted from the configuration alone, layer by layer as the towers are built, so that the whole zoo is listed at once
and without torch. The tests hold every count equal to that of the towers themselves.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lexel.architectures.config import (
    CLIPConfig,
    ConvNeXtConfig,
    HuggingFaceTextConfig,
    ImageConfig,
    ResNetConfig,
    TextConfig,
    TextTransformerConfig,
    TimmConfig,
    VisionTransformerConfig,
)
from lexel.architectures.zoo import architecture


@dataclass(frozen=True)
class ArchitectureCost:
    """Size of both towers, and forward cost of one image and of one caption of full context length.

    A GFLOP is 1e9 floating-point operations; a multiply-add counts as two. Matrix products and convolutions are
    counted, causal attention as if it were full; norms and activations are not. All tokens go through all blocks, as
    others publish it; `image_operations` and `text_operations` are what Lexel computes. None stands for a tower that
    another library builds: only that library could count it.
    """

    parameters_image: int | None
    parameters_text: int | None
    gflops_image: float | None
    gflops_text: float | None


TRAINING = 3  # times the forward pass: the backward pass does each product twice, for the inputs and for the weights


def describe(name: str) -> ArchitectureCost:
    """The cost of a named architecture; raises UsageError for an unknown name."""
    return cost_of(architecture(name))


def cost_of(config: CLIPConfig) -> ArchitectureCost:
    """The cost of any configuration."""
    image, text = _image_tower(config.image, config.embedding), _text_tower(config.text, config.embedding)
    return ArchitectureCost(
        parameters_image=image and image.parameters,
        parameters_text=text and text.parameters,
        gflops_image=image and image.operations / 1e9,
        gflops_text=text and text.operations / 1e9,
    )


def image_operations(config: CLIPConfig, image_size: int | None = None, patch_dropout: float = 0.0) -> int | None:
    """Operations of the image tower's forward pass on one image, as Lexel makes it: without what is not read after the
    last block. None for a tower of another library.

    The image has `image_size` pixels a side (None: the tower's own), and of its patches a Vision Transformer leaves out
    the share `patch_dropout`.
    """
    image = config.image
    if image_size is not None:
        image = image.model_copy(update={"image_size": image_size})
    tower = _image_tower(image, config.embedding, patch_dropout, whole=False)
    return tower and tower.operations


def text_operations(config: CLIPConfig, tokens: int) -> int | None:
    """Operations of the text tower's forward pass on one caption of `tokens` tokens, start and end included, as Lexel
    makes it: without padding, unless the tower sees it, and without what is not read after the last block. None for a
    tower of another library."""
    text = config.text
    if isinstance(text, TextTransformerConfig) and not text.sees_padding:
        needed = {"mean": max(1, tokens - 1), "first": 1}.get(text.pooling, tokens)  # no word sees the end
        text = text.model_copy(update={"context_length": needed})
    tower = _text_tower(text, config.embedding, whole=False)
    return tower and tower.operations


@dataclass(frozen=True)
class _PartCost:
    parameters: int
    operations: int = 0


def _total(parts: Iterable[_PartCost]) -> _PartCost:
    parts = list(parts)
    return _PartCost(sum(part.parameters for part in parts), sum(part.operations for part in parts))


def _image_tower(
    config: ImageConfig, embedding: int, patch_dropout: float = 0.0, whole: bool = True
) -> _PartCost | None:
    """`whole`: with what is not read after the last block."""
    match config:
        case VisionTransformerConfig():
            return _total(_vision_transformer(config, embedding, patch_dropout, whole))
        case ResNetConfig():
            return _total(_resnet(config, embedding))
        case ConvNeXtConfig():
            return _total(_convnext(config, embedding))
        case TimmConfig():
            return None


def _text_tower(config: TextConfig, embedding: int, whole: bool = True) -> _PartCost | None:
    match config:
        case TextTransformerConfig():
            return _total(_text_transformer(config, embedding, whole))
        case HuggingFaceTextConfig():
            return None


def _vision_transformer(
    config: VisionTransformerConfig, embedding: int, patch_dropout: float, whole: bool
) -> Iterator[_PartCost]:
    width = config.width
    patches = config.grid**2
    tokens = max(1, round(patches * (1 - patch_dropout))) + config.has_class_token
    if config.stem == "patch":
        yield _convolution(3, width, config.patch_size, patches)
        yield _PartCost(width if config.patch_bias else 0)
    else:
        yield from _convolutional_stem(config)
    if config.has_class_token:
        yield _PartCost(2 * width)  # the token and its position
    yield _PartCost(width * patches)
    if config.pre_norm:
        yield _norm(width)
    yield from _blocks(config, tokens, tokens if whole or config.pooling != "class" else 1)
    if config.pooling == "map":
        yield _PartCost(width)
        yield from _attention_pool(width, width, tokens)
        yield from (_norm(width), _mlp(width, config.hidden, tokens=1))
    elif config.pooling == "attention":
        yield _PartCost(embedding * config.pooling_queries)
        yield from (_norm(width), _norm(embedding))
        yield from _attention_pool(width, embedding, tokens)
        width = embedding
    yield _norm(width)
    if config.projection:
        yield _linear(width, embedding, tokens=1, bias=False)


def _attention_pool(before: int, width: int, tokens: int) -> Iterator[_PartCost]:
    """One query of `width` looks at tokens of another width."""
    yield from [_linear(width, width, tokens=1)] * 2  # query and output
    yield from [_linear(before, width, tokens)] * 2  # key and value
    yield _PartCost(0, 4 * tokens * width)


def _convolutional_stem(config: VisionTransformerConfig) -> Iterator[_PartCost]:
    before, side = 3, config.image_size
    grid = config.image_size // config.patch_size
    while side > grid:
        side //= 2
        after = config.width * grid // side
        yield _convolution(before, after, 3, side**2)
        yield _norm(after)
        before = after
    yield _linear(config.width, config.width, tokens=grid**2)


def _text_transformer(config: TextTransformerConfig, embedding: int, whole: bool) -> Iterator[_PartCost]:
    width, tokens = config.width, config.context_length
    yield _PartCost(width * config.vocabulary_size)
    yield _PartCost(width * tokens)
    if config.pooling == "class":
        yield _PartCost(2 * width)  # the class token and its position
        tokens += 2  # itself, and the padding that it looks at
    yield from _blocks(config, tokens, tokens if whole or config.pooling == "mean" else 1)
    yield _norm(width)
    if config.projection != "none":
        yield _linear(width, embedding, tokens=1, bias=config.projection == "linear_bias")


def _resnet(config: ResNetConfig, embedding: int) -> Iterator[_PartCost]:
    width, side = config.width, config.image_size // 2
    for before, after in ((3, width // 2), (width // 2, width // 2), (width // 2, width)):
        yield _convolution(before, after, 3, side**2)
        yield _norm(after)
    side //= 2
    before = width
    for stage, depth in enumerate(config.depths):
        width = config.width * 2**stage
        for index in range(depth):
            larger = side
            if stage > 0 and index == 0:
                side //= 2
            yield from (_convolution(before, width, 1, larger**2), _norm(width))
            yield from (_convolution(width, width, 3, larger**2), _norm(width))
            yield from (_convolution(width, 4 * width, 1, side**2), _norm(4 * width))
            if before != 4 * width or larger != side:
                yield from (_convolution(before, 4 * width, 1, side**2), _norm(4 * width))
            before = 4 * width
    tokens = 1 + side**2
    yield _PartCost(before * tokens)
    yield from (_linear(before, before, tokens=1), *[_linear(before, before, tokens)] * 2)
    yield _PartCost(0, 4 * tokens * before)
    yield _linear(before, embedding, tokens=1)


def _convnext(config: ConvNeXtConfig, embedding: int) -> Iterator[_PartCost]:
    width, side = config.width, config.image_size // 4
    yield from (_convolution(3, width, 4, side**2), _PartCost(width), _norm(width))
    for stage, depth in enumerate(config.depths):
        if stage > 0:
            side //= 2
            yield from (_norm(width), _convolution(width, 2 * width, 2, side**2), _PartCost(2 * width))
            width *= 2
        mix = _convolution(1, width, 7, side**2)
        yield from [mix, _PartCost(width), _norm(width), _mlp(width, 4 * width, side**2), _PartCost(width)] * depth
    yield _norm(width)
    if config.projection == "linear":
        yield _linear(width, embedding, tokens=1, bias=False)
    else:
        yield _linear(width, 2 * embedding, tokens=1)
        yield _linear(2 * embedding, embedding, tokens=1, bias=False)


def _blocks(config: VisionTransformerConfig | TextTransformerConfig, tokens: int, read: int) -> Iterator[_PartCost]:
    """All blocks, of which the last one is made only for as many tokens as are read."""
    yield from [_block(config, tokens, tokens)] * (config.depth - 1)
    yield _block(config, tokens, read)


def _block(config: VisionTransformerConfig | TextTransformerConfig, tokens: int, looking: int) -> _PartCost:
    """So many of its tokens look at all of them."""
    width = config.width
    return _total(
        [
            _norm(width),
            _linear(width, 3 * width, tokens),
            _PartCost(0, 4 * looking * tokens * width),  # similarities, then the weighted mean of values
            _linear(width, width, looking),
            _norm(width),
            _mlp(width, config.hidden, looking),
            _PartCost(2 * width if config.layer_scale else 0),
        ]
    )


def _mlp(width: int, hidden: int, tokens: int) -> _PartCost:
    return _total([_linear(width, hidden, tokens), _linear(hidden, width, tokens)])


def _linear(before: int, after: int, tokens: int, bias: bool = True) -> _PartCost:
    return _PartCost(before * after + (after if bias else 0), 2 * before * after * tokens)


def _convolution(before: int, after: int, size: int, cells: int) -> _PartCost:
    weights = before * after * size**2
    return _PartCost(weights, 2 * weights * cells)


def _norm(width: int) -> _PartCost:
    return _PartCost(2 * width)
