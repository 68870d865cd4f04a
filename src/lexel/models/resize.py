"""Another image size or context length for a model that has its weights: the positions are stretched once and kept."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
import torch
from pydantic import ValidationError

from lexel.architectures.config import (
    CONVOLUTIONAL_CELL,
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
from lexel.config import Config
from lexel.errors import UsageError
from lexel.models.layers.positions import resize_positions, resize_text_positions

Weights = dict[str, np.ndarray]
AnyConfig = TypeVar("AnyConfig", bound=Config)


def resized(
    config: CLIPConfig,
    weights: Mapping[str, np.ndarray],
    *,
    image_size: int | None = None,
    context_length: int | None = None,
) -> tuple[CLIPConfig, Weights]:
    """The same model for pictures of another side in pixels, or for longer or shorter captions.

    Picture positions are interpolated bicubically. Of a longer context the first 20 positions stay as they are and the
    others are stretched linearly; a shorter one is cut. Raises UsageError for a size that the towers cannot have.
    """
    image, text, changed = config.image, config.text, dict(weights)
    if image_size is not None and image_size != image.image_size:
        image, positions = _resized_image(image, image_size, weights)
        changed |= positions
    if context_length is not None and context_length != text.context_length:
        text, positions = _resized_text(text, context_length, weights)
        changed |= positions
    return config.model_copy(update={"image": image, "text": text}), changed


def _resized_image(
    config: ImageConfig, image_size: int, weights: Mapping[str, np.ndarray]
) -> tuple[ImageConfig, Weights]:
    match config:
        case VisionTransformerConfig():
            new = _changed(config, "image_size", image_size)
            return new, _stretched(weights, "image.position_embedding", config.grid, new.grid)
        case ResNetConfig():
            new = _changed(config, "image_size", image_size)
            grids = config.image_size // CONVOLUTIONAL_CELL, image_size // CONVOLUTIONAL_CELL
            return new, _stretched(weights, "image.pool.position_embedding", *grids)
        case ConvNeXtConfig():
            return _changed(config, "image_size", image_size), {}
        case TimmConfig():
            raise UsageError(
                f'The image tower "{config.model}", which timm builds, takes pictures of {config.image_size} pixels '
                f"only, not {image_size}."
            )


def _stretched(weights: Mapping[str, np.ndarray], name: str, before: int, after: int) -> Weights:
    return {name: resize_positions(torch.from_numpy(weights[name]), before, after).numpy()}


def _resized_text(
    config: TextConfig, context_length: int, weights: Mapping[str, np.ndarray]
) -> tuple[TextConfig, Weights]:
    new = _changed(config, "context_length", context_length)
    match config:
        case TextTransformerConfig():
            positions = torch.from_numpy(weights["text.position_embedding"])
            count = config.context_length
            stretched = torch.cat([resize_text_positions(positions[:count], context_length), positions[count:]])
            return new, {"text.position_embedding": stretched.numpy()}
        case HuggingFaceTextConfig():
            _check_room(config, context_length)
            return new, {}


def _check_room(config: HuggingFaceTextConfig, context_length: int) -> None:
    room = config.model.get("max_position_embeddings")
    first = config.pad_id + 1 if "roberta" in str(config.model["model_type"]) else 0  # RoBERTa counts from behind it
    if isinstance(room, int) and context_length > room - first and config.model["model_type"] != "m2m_100":
        raise UsageError(f"context_length {context_length} is more than the text model's {room - first} positions.")


def _changed(config: AnyConfig, field: str, value: int) -> AnyConfig:
    try:
        return type(config).model_validate(config.model_dump() | {field: value})
    except ValidationError as error:
        raise UsageError(error.errors()[0]["msg"].removeprefix("Value error, ") + ".") from None
