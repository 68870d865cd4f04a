"""The training's loss on held-out pairs: it rises where a model begins to learn its pairs by heart."""

import numpy as np
import torch
from torch import Tensor

from lexel.data.captions import draw_caption
from lexel.data.loader import group_numbers
from lexel.evaluation.embedded_source import EmbeddedSource
from lexel.evaluation.texts.templates import templates
from lexel.models.clip import CLIP
from lexel.training.distributed.shared_encoder import SharedEncoder
from lexel.training.inputs.training_data import evaluation_templates
from lexel.training.loss.contrastive import contrastive_loss
from lexel.training.loss.positives import Groups
from lexel.training.recipe import Recipe


@torch.no_grad()
def held_out_loss(encoder: SharedEncoder, embedded: EmbeddedSource, recipe: Recipe) -> float:
    """The recipe's loss, averaged over batches of held-out pairs, each with one of its captions or its label.

    The batches are as large as those of the training, since a loss grows with the number of negatives, or as large as
    there are pairs. Pairs and captions are drawn with a fixed seed: every call is about the same ones. With several
    processes all of them call it.
    """
    random = np.random.default_rng(0)
    prompts = templates(evaluation_templates(recipe))
    drawn = [draw_caption(pair, prompts, 0.0, random) for pair in embedded.pairs]
    texts = encoder.embed_texts([caption for caption, _ in drawn])
    groups = [
        group_numbers(pair.key, pair.label, meaning) for pair, (_, meaning) in zip(embedded.pairs, drawn, strict=True)
    ]
    order = random.permutation(len(drawn))
    size = min(recipe.batch_size, len(drawn))
    losses = []
    for start in range(0, len(drawn) - size + 1, size):
        share = encoder.world.share.of(size)
        rows = order[start : start + size][share.start : share.stop]
        numbers = torch.tensor([groups[row] for row in rows], dtype=torch.int64).reshape(-1, 3)
        losses.append(_loss(encoder.clip, recipe, embedded.vectors[rows], texts[rows], Groups(*numbers.unbind(1))))
    return float(torch.stack(losses).mean())


def _loss(clip: CLIP, recipe: Recipe, images: np.ndarray, texts: np.ndarray, groups: Groups) -> Tensor:
    """Of this process's rows, images and texts (b, E), together with those of the others."""
    scale = clip.logit_scale.exp()
    image_rows, text_rows = (torch.from_numpy(vectors).to(scale) for vectors in (images, texts))
    return contrastive_loss(image_rows, text_rows, scale, clip.logit_bias, groups, recipe.loss).loss
