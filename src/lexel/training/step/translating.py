"""More languages: a text tower alone learns to give each text the vector of its English one.

The loss is the mean over the batch of 1 − cosine, half the squared distance of unit vectors: for these the mean squared
error of Reimers and Gurevych 2020. No picture takes part.
"""

from collections.abc import Mapping

from torch import Tensor

from lexel.data.loader import Batch
from lexel.models.clip import CLIP
from lexel.models.towers import Tower
from lexel.training.metering.work import Work
from lexel.training.step.contrastive import ContrastiveObjective
from lexel.training.step.objective import BatchLoss, ForwardPass
from lexel.training.step.remembering import mean_distance


class TranslatingObjective:
    """An `Objective`: the text tower of a CLIP. Batches bring texts, and the vectors that they are to give."""

    def __init__(self, inner: ContrastiveObjective) -> None:
        self.inner = inner

    @property
    def model(self) -> CLIP:
        return self.inner.model

    @property
    def towers(self) -> Mapping[str, Tower]:
        return {"text": self.inner.clip.text}

    def passes(self, batch: Batch, step: int) -> Mapping[str, ForwardPass]:
        return {"text": self.inner.text_pass(batch)}

    def largest_passes(self, rows: int) -> Mapping[str, ForwardPass]:
        return {"text": self.inner.largest_passes(rows)["text"]}

    def work(self, batch: Batch, step: int) -> Work:
        return self.inner.work(batch, step)

    def loss(self, batch: Batch, outputs: Mapping[str, Tensor]) -> BatchLoss:
        assert batch.teacher_text_vectors is not None
        return BatchLoss(mean_distance(outputs["text"], batch.teacher_text_vectors))
