"""Fine-tuning that remembers: beside another objective, embeddings are kept near those of the starting model.

What is added is weight times the mean over the batch of half the squared distance of each picture's embedding, and of
each text's, from the one that the starting model gave it: 1 − cosine, as both are of unit length. Pictures are looked
at as they are augmented, and compared with what the starting model made of the whole picture.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lexel.data.loader import Batch
from lexel.models.towers import Tower
from lexel.training.distributed.collectives import sum_over_processes
from lexel.training.metering.work import Work
from lexel.training.step.objective import BatchLoss, ForwardPass, Objective


class RememberingObjective:
    """An `Objective`: another one, and the distance from the starting model."""

    def __init__(self, inner: Objective, weight: float) -> None:
        """Batches bring the vectors of the starting model; the passes of `inner` give unit vectors."""
        self.inner = inner
        self.weight = weight

    @property
    def model(self) -> nn.Module:
        return self.inner.model

    @property
    def towers(self) -> Mapping[str, Tower]:
        return self.inner.towers

    def passes(self, batch: Batch, step: int) -> Mapping[str, ForwardPass]:
        return self.inner.passes(batch, step)

    def largest_passes(self, rows: int) -> Mapping[str, ForwardPass]:
        return self.inner.largest_passes(rows)

    def work(self, batch: Batch, step: int) -> Work:
        return self.inner.work(batch, step)

    def loss(self, batch: Batch, outputs: Mapping[str, Tensor]) -> BatchLoss:
        found = self.inner.loss(batch, outputs)
        first = {"image": batch.teacher_image_vectors, "text": batch.teacher_text_vectors}
        moved = sum(mean_distance(outputs[name], vectors) for name, vectors in first.items() if vectors is not None) / 2
        assert isinstance(moved, Tensor)
        return BatchLoss(found.loss + self.weight * moved, {**found.numbers, "moved": moved.detach()})


def mean_distance(vectors: Tensor, first: Tensor) -> Tensor:
    """The mean over the rows of all processes of 1 − cosine, for unit vectors (b, E) of this process.

    Its gradient is that of this process's rows.
    """
    first = first.to(vectors.device, vectors.dtype, non_blocking=True)
    mine = ((vectors - first) ** 2).sum() / 2
    rows = sum_over_processes(torch.tensor(float(len(vectors)), device=vectors.device))
    whole = sum_over_processes(mine.detach().clone())
    return (whole + mine - mine.detach()) / rows.clamp(min=1)
