"""Small CLIPs of several kinds with weights that do something everywhere, and model folders of them."""

from pathlib import Path

import numpy as np
import torch

from lexel.architectures.config import (
    CLIPConfig,
    ConvNeXtConfig,
    HuggingFaceTextConfig,
    ResNetConfig,
    TextTransformerConfig,
    VisionTransformerConfig,
)
from lexel.checkpoints.model_folder.folder import save_model_folder
from lexel.images import Preprocessing
from lexel.models.clip import CLIP, init_weights
from lexel.tokenizer import Tokenizer

CAPTIONS = ["a red circle", "a blue square on the left", "two green stars above a wide yellow triangle", "nothing"] * 4


def text(**changes: object) -> TextTransformerConfig:
    fields = {"context_length": 16, "vocabulary_size": 300, "end_of_text": 1, "width": 32, "depth": 2, "heads": 2}
    return TextTransformerConfig.model_validate(fields | changes)


def image(**changes: object) -> VisionTransformerConfig:
    fields = {"image_size": 32, "patch_size": 8, "width": 32, "depth": 2, "heads": 2}
    return VisionTransformerConfig.model_validate(fields | changes)


KINDS = {
    "clip": CLIPConfig(embedding=24, image=image(activation="quick_gelu"), text=text(activation="quick_gelu")),
    "siglip": CLIPConfig(
        embedding=32,
        image=image(
            pooling="map", norm_tokens=True, projection=False, pre_norm=False, patch_bias=True, activation="gelu_tanh"
        ),
        text=text(causal=False, pad_id=2, pooling="last", projection="linear_bias", activation="gelu_tanh"),
        logit_bias=True,
    ),
    "coca": CLIPConfig(embedding=32, image=image(pooling="attention", pooling_queries=4), text=text(pooling="class")),
    "stem": CLIPConfig(embedding=24, image=image(stem="convolutional", pooling="mean"), text=text(layer_scale=True)),
    "convnext": CLIPConfig(
        embedding=24, image=ConvNeXtConfig(image_size=32, width=8, depths=(1, 1, 2, 1)), text=text(pooling="first")
    ),
    "resnet": CLIPConfig(
        embedding=24, image=ResNetConfig(image_size=32, width=4, depths=(1, 1, 1, 1), heads=2), text=text()
    ),
}


def bert() -> CLIPConfig:
    """With a text tower that transformers builds."""
    model = {
        "model_type": "bert",
        "vocab_size": 300,
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 16,
    }
    text = HuggingFaceTextConfig(model=model, context_length=16, vocabulary_size=300, end_of_text=1, pad_id=0)
    return CLIPConfig(embedding=24, image=image(), text=text)


def build(config: CLIPConfig) -> CLIP:
    """A CLIP whose every weight and running average differs from the neutral value that it starts with."""
    clip = CLIP(config)
    init_weights(clip, 0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in clip.state_dict().values():
            if tensor.is_floating_point() and tensor.ndim:
                tensor += 0.05 * torch.randn(tensor.shape, generator=generator).abs()
    return clip.eval()


def shallow(config: CLIPConfig) -> CLIPConfig:
    """The same with one block in each transformer, since tracing a graph takes seconds."""
    image, text = (
        tower.model_copy(update={"depth": 1}) if hasattr(tower, "depth") else tower
        for tower in (config.image, config.text)
    )
    return config.model_copy(update={"image": image, "text": text})


def write_folder(path: Path, clip: CLIP) -> Path:
    """A model folder of these weights."""
    config = clip.config
    tokenizer = Tokenizer.train(CAPTIONS, 300, config.text.context_length)
    save_model_folder(
        path,
        name="tiny",
        architecture=config,
        preprocessing=Preprocessing(image_size=config.image.image_size),
        weights={name: tensor.numpy() for name, tensor in clip.state_dict().items()},
        tokenizer=tokenizer,
        card="# tiny\n",
    )
    return path


def pixels(clip: CLIP, count: int, seed: int = 3) -> np.ndarray:
    size = clip.config.image.image_size
    return np.random.default_rng(seed).normal(size=(count, 3, size, size)).astype(np.float32)


def ids(count: int, length: int, seed: int = 3) -> np.ndarray:
    """Rows of many lengths, each ended by end-of-text and filled with zeros."""
    generator = np.random.default_rng(seed)
    rows = generator.integers(3, 300, (count, length))
    for row, end in zip(rows, generator.integers(1, length, count), strict=True):
        row[end:] = 0
        row[end] = 1
    rows[0, -1] = 1
    return rows


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
