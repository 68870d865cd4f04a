"""The contrastive loss of a batch of B images and B texts: what is computed, in plain torch.

    logits = scale * images @ texts.T + bias                 # (B, B): image i and text j
    belong = same_image | same_text | label_is_text          # (B, B): which pairs are right, the diagonal among them
    right = belong.double()

    of_images = F.cross_entropy(logits, right / right.sum(1, keepdim=True))
    of_texts = F.cross_entropy(logits.T, right.T / right.T.sum(1, keepdim=True))
    softmax_loss = (of_images + of_texts) / 2                # Radford et al. 2021
    sigmoid_loss = -F.logsigmoid(torch.where(belong, logits, -logits)).sum() / len(images)  # Zhai et al. 2023

A softmax loss has no bias (it would cancel), and `label_smoothing` is that of `F.cross_entropy`. `softmax.py` and
`sigmoid.py` compute the same numbers and gradients without ever holding a (B, B) matrix, for rows that are divided
among processes. The tests run the lines above and compare.
"""

from torch import Tensor

from lexel.training.loss.positives import Groups
from lexel.training.loss.settings import ContrastiveLoss, LossSettings
from lexel.training.loss.sigmoid import sigmoid_loss
from lexel.training.loss.softmax import softmax_loss


def contrastive_loss(
    images: Tensor, texts: Tensor, scale: Tensor, bias: Tensor | None, groups: Groups, settings: LossSettings
) -> ContrastiveLoss:
    """The loss that the settings ask for, of unit vectors (b, E): the rows of this process.

    scale and bias (a sigmoid loss needs one) are scalars. Every process of a process group must call it, with as many
    rows as it has.
    """
    if settings.kind == "sigmoid":
        if bias is None:
            raise ValueError("a sigmoid loss needs a bias")
        return sigmoid_loss(images, texts, scale, bias, groups)
    return softmax_loss(images, texts, scale, groups, bias=bias, label_smoothing=settings.label_smoothing)
