"""What a recipe may ask of the loss, and what a loss gives."""

from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator
from torch import Tensor

from lexel.config import Config


class LossSettings(Config):
    """The loss of the embeddings of a batch."""

    kind: Literal["softmax", "sigmoid"] = "softmax"  # softmax: Radford et al. 2021; sigmoid: Zhai et al. 2023
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)  # share of a row's target that is spread over all

    @model_validator(mode="after")
    def _smoothing_has_a_softmax(self) -> Self:
        if self.label_smoothing and self.kind == "sigmoid":
            raise ValueError("label_smoothing belongs to the softmax loss; leave it out, or set kind to softmax")
        return self


@dataclass(frozen=True, slots=True)
class ContrastiveLoss:
    """The loss of one batch, of all processes' rows."""

    loss: Tensor  # scalar, differentiable
    accuracy: Tensor  # scalar: share of images whose best text belongs to them
