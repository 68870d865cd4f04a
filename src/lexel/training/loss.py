"""Symmetric contrastive loss with several right answers a row.

Radford et al. 2021 take the diagonal as the only right answer. Where two samples show the same image or carry the same
text, each is as right as the other (Yang et al. 2022, UniCL): the target of a row is uniform over all that belong.
"""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class Contrast:
    """What the loss of one batch says."""

    loss: Tensor  # scalar, differentiable
    accuracy: Tensor  # scalar: share of images whose best text belongs to them


def belongings(image_group: Tensor, label_group: Tensor, text_group: Tensor) -> Tensor:
    """(B, B) bool: image i and text j belong together.

    They do when they are of the same image, when the texts of i and j mean the same, or when text j is the label of
    image i. All (B,) numbers of meanings; a label and a text that only says it have the same.
    """
    same_image = image_group[:, None] == image_group[None, :]
    same_text = text_group[:, None] == text_group[None, :]
    labelled = label_group[:, None] == text_group[None, :]
    return same_image | same_text | labelled


def contrastive_loss(
    images: Tensor, texts: Tensor, scale: Tensor, belong: Tensor, bias: Tensor | None = None
) -> Contrast:
    """Cross-entropy over texts for each image and over images for each text, averaged.

    images, texts (B, E) float32 unit vectors; scale and bias scalars, the factor and offset of the cosines; belong
    (B, B) bool, true on the diagonal. A bias cancels in a softmax: here it changes nothing but the logits.
    """
    logits = scale * images @ texts.T  # (B, B)
    if bias is not None:
        logits = logits + bias
    targets = belong.float()
    per_image = F.cross_entropy(logits, targets / targets.sum(dim=1, keepdim=True))
    per_text = F.cross_entropy(logits.T, (targets / targets.sum(dim=0, keepdim=True)).T)
    right = belong.gather(1, logits.argmax(dim=1, keepdim=True))
    return Contrast((per_image + per_text) / 2, right.float().mean())
