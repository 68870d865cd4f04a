"""Every family of towers against OpenCLIP's numbers for the same weights (golden/towers.npz, by golden/make.py)."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden.families import FAMILIES, LONGEST, captions, pixels, weight

from lexel.architectures.config import (
    CLIPConfig,
    ConvNeXtConfig,
    HuggingFaceTextConfig,
    TimmConfig,
    VisionTransformerConfig,
)
from lexel.checkpoints.formats.open_clip.config_in import read_open_clip_config
from lexel.checkpoints.formats.open_clip.tensors import open_clip_rows
from lexel.checkpoints.formats.tensor_tables import to_ours
from lexel.models.clip import CLIP

GOLDEN = np.load(Path(__file__).parent / "golden" / "towers.npz")
SIGLIP = VisionTransformerConfig(
    image_size=48, patch_size=16, width=48, depth=2, heads=3, pooling="map", norm_tokens=True, projection=False,
    pre_norm=False, norm_epsilon=1e-6, patch_bias=True,
)  # fmt: skip
OURS = {  # what no published configuration describes
    "siglip": SIGLIP,
    "siglip2-remainder": SIGLIP.model_copy(
        update={"image_size": 52, "drop_remainder": True, "activation": "gelu_tanh"}
    ),
    "convnext": ConvNeXtConfig(image_size=64, width=8, depths=(1, 2, 2, 1)),
    "convnext-mlp": ConvNeXtConfig(
        image_size=64, width=8, depths=(1, 2, 2, 1), projection="mlp", norm_epsilon=1e-5
    ),
}  # fmt: skip
POOLING = {
    "roberta": ("mean", "mlp"),
    "bert": ("pooler", "linear"),
    "xlm-roberta": ("class", "linear"),
    "nllb": ("class", "linear"),
}


def configuration(name: str) -> CLIPConfig:
    content: dict[str, Any] = {key: value for key, value in FAMILIES[name].items() if not key.startswith("-")}
    if name in POOLING:
        plain = read_open_clip_config(FAMILIES["vit"])[0]
        pooling, projection = POOLING[name]
        text = HuggingFaceTextConfig.model_validate(
            {"model": FAMILIES[name]["-model"], "pooling": pooling, "projection": projection}
            | {"context_length": LONGEST, "vocabulary_size": 100, "end_of_text": 99, "pad_id": 0}
        )
        return plain.model_copy(update={"text": text})
    if name not in OURS:
        return read_open_clip_config(content)[0]
    plain = read_open_clip_config(FAMILIES["vit"] | {"text_cfg": content["text_cfg"]})[0]
    return CLIPConfig(
        embedding=content["embed_dim"],
        image=OURS[name],
        text=plain.text,
        logit_bias="init_logit_bias" in content,
    )


def with_golden_weights(config: CLIPConfig, *, flat: bool) -> CLIP:
    """Our model with the weights that OpenCLIP's had, each made from OpenCLIP's name and shape for it."""
    with torch.device("meta"):
        clip = CLIP(config)
    shapes = {name: tuple(tensor.shape) for name, tensor in clip.state_dict().items()}
    rows = open_clip_rows(config, shapes, flat=flat)
    theirs = {name: weight(name, row.wanted(shapes)) for row in rows for name in row.theirs}
    weights = to_ours(rows, theirs, shapes, "the reference")
    clip.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()}, assign=True)
    return clip.eval()


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_gives_open_clips_embeddings(name: str) -> None:
    config = configuration(name)
    if isinstance(config.image, TimmConfig) and not find_spec("timm"):
        pytest.skip("timm is not installed: pip install 'lexel[timm]'")
    content = FAMILIES[name]
    is_flat = not (content.get("custom_text") or "-model" in content or "-small" in content)
    clip = with_golden_weights(config, flat=is_flat)
    ids = torch.from_numpy(captions(content["text_cfg"].get("eos_id", 99)))
    with torch.no_grad():
        image = clip.encode_image(torch.from_numpy(pixels(config.image.image_size))).numpy()
        text = clip.encode_text(ids).numpy()
        lengths = (2, 5, 8, 12)
        cut = np.concatenate([clip.encode_text(row[None, :to]) for row, to in zip(ids, lengths, strict=True)])
    assert distance(image, GOLDEN[f"{name}.image"]) < 1e-5
    assert distance(text, GOLDEN[f"{name}.text"]) < 1e-5
    assert distance(cut, GOLDEN[f"{name}.text"]) < 1e-5


def distance(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Of the vector that is farthest off, relative to its length."""
    assert ours.shape == theirs.shape
    return float((np.linalg.norm(ours - theirs, axis=1) / np.linalg.norm(theirs, axis=1)).max())
