"""Batches of noise, and gradients of them in one plain pass, straight from the definitions."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lexel.architectures.config import CLIPConfig
from lexel.data.loader import Batch
from lexel.images import Preprocessing
from lexel.models.clip import CLIP, init_weights
from lexel.training.distributed.world import World
from lexel.training.recipe import Recipe
from lexel.training.step.contrastive import ContrastiveObjective
from lexel.training.step.gradients import Gradients

ALONE = World(0, 1, torch.device("cpu"))
PREPROCESSING = Preprocessing(image_size=32)


def recipe(batch_size: int, **fields: Any) -> Recipe:
    content = {"name": "made-up", "steps": 10, "precision": "float32", "data": {"sources": [{"source": "none"}]}}
    return Recipe.build(content | {"batch_size": batch_size} | fields)


def clip_of(config: CLIPConfig, dtype: torch.dtype = torch.float64, seed: int = 0) -> CLIP:
    """Fresh towers in training mode."""
    clip = CLIP(config)
    init_weights(clip, seed)
    return clip.train().to(dtype)


def batch(rows: int, seed: int = 0, *, image_size: int = 32, length: int = 12, vocabulary: int = 300) -> Batch:
    """Pictures of noise and captions of 2 to `length` tokens, ended by 2; some samples share image, label or text."""
    random = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, vocabulary, (rows, length), generator=random)
    for row, end in zip(ids, torch.randint(1, length, (rows,), generator=random), strict=True):
        row[end:] = 0
        row[end] = 2
    image, label, text = (torch.randint(0, max(1, 2 * rows), (rows,), generator=random) for _ in range(3))
    return Batch(
        pixels=torch.randint(0, 256, (rows, 3, image_size, image_size), dtype=torch.uint8, generator=random),
        ids=ids,
        image_group=image,
        label_group=torch.where(label % 2 == 0, -1, label),
        text_group=text,
        places=torch.arange(rows),
        keys=tuple(f"{row}.jpg" for row in range(rows)),
        bad=(),
    )


def objective_of(clip: CLIP, recipe: Recipe) -> ContrastiveObjective:
    """CLIP's objective, in a run of ten steps."""
    return ContrastiveObjective(clip, recipe, PREPROCESSING, 10)


def gradients_for(clip: CLIP, recipe: Recipe) -> Gradients:
    """What computes a step of CLIP's objective, in a run of ten steps."""
    return Gradients(objective_of(clip, recipe), recipe, ALONE)


def gradients_of(clip: CLIP) -> dict[str, Tensor]:
    return {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.clone()
        for name, parameter in clip.named_parameters()
    }


def stepped(clip: CLIP, recipe: Recipe, batch: Batch, step: int = 3) -> tuple[float, dict[str, Tensor]]:
    """Loss and gradients as a training step computes them."""
    clip.zero_grad(set_to_none=True)
    loss = gradients_for(clip, recipe)(batch, step).loss
    return loss, gradients_of(clip)


def plain(clip: CLIP, kind: str, batch: Batch, kept: Tensor | None = None) -> tuple[float, dict[str, Tensor]]:
    """The same in one pass, with the whole matrix of logits; `kept` patches of the pictures only."""
    clip.zero_grad(set_to_none=True)
    channels = torch.tensor([PREPROCESSING.mean, PREPROCESSING.std], dtype=torch.float64)
    mean, std = channels.view(2, 3, 1, 1)
    assert batch.pixels is not None
    assert batch.ids is not None
    pixels = ((batch.pixels.double() / 255 - mean) / std).to(clip.logit_scale.dtype)
    images = F.normalize(clip.encode_image(pixels, kept), dim=-1)
    texts = F.normalize(clip.encode_text(batch.ids), dim=-1)
    logits = clip.logit_scale.exp() * images @ texts.T
    if clip.logit_bias is not None:
        logits = logits + clip.logit_bias
    belong = (
        (batch.image_group[:, None] == batch.image_group)
        | (batch.text_group[:, None] == batch.text_group)
        | (batch.label_group[:, None] == batch.text_group)
    ).to(logits)
    belong.fill_diagonal_(1)
    if kind == "sigmoid":
        loss = -F.logsigmoid(logits * (2 * belong - 1)).sum() / len(images)
    else:
        rows = F.cross_entropy(logits, belong / belong.sum(1, keepdim=True))
        columns = F.cross_entropy(logits.T, (belong / belong.sum(0)).T)
        loss = (rows + columns) / 2
    loss.backward()
    return loss.item(), gradients_of(clip)


def furthest(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """The largest difference of a parameter's gradient, beside the norm of the whole gradient (0 for a lone pair)."""
    norm = torch.stack([gradient.double().norm() for gradient in expected.values()]).norm() + 1e-1
    return max(((found[name] - expected[name]).double().norm() / norm).item() for name in expected)
