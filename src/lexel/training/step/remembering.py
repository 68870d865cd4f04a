"""Fine-tuning that remembers: beside another objective, embeddings are kept near those of the starting model.

What is added is weight times the mean over the batch of half the squared distance of each picture's embedding, and of
each text's, from the one that the starting model gave it: 1 − cosine, as both are of unit length. Pictures are looked
at as they are augmented, and compared with what the starting model made of the whole picture. The same is added for the
pictures and texts of another source, where a batch brings some.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lexel.data.loader import Batch
from lexel.models.towers import Tower
from lexel.training.distributed.collectives import sum_over_processes
from lexel.training.metering.work import Work
from lexel.training.step.objective import BatchLoss, ForwardPass, Objective

BESIDE = "remembered"  # begins the names of the passes over another source's pictures and texts


class RememberingObjective:
    """An `Objective`: another one, and the distance from the starting model."""

    def __init__(self, inner: Objective, weight: float, *, beside: bool = False) -> None:
        """Batches bring the vectors of the starting model, and pictures of another source `beside` theirs; the passes
        of `inner` give unit vectors."""
        self.inner = inner
        self.weight = weight
        self.beside = beside

    @property
    def model(self) -> nn.Module:
        return self.inner.model

    @property
    def towers(self) -> Mapping[str, Tower]:
        return self.inner.towers

    def passes(self, batch: Batch, step: int) -> Mapping[str, ForwardPass]:
        own = self.inner.passes(batch, step)
        if batch.remembered is None:
            return own
        others = self.inner.passes(batch.remembered, step)
        wanted = _first_vectors(batch.remembered)
        return {**own, **{f"{BESIDE} {name}": one for name, one in others.items() if name in wanted}}

    def largest_passes(self, rows: int) -> Mapping[str, ForwardPass]:
        own = self.inner.largest_passes(rows)
        return {**own, **{f"{BESIDE} {name}": one for name, one in own.items()}} if self.beside else own

    def work(self, batch: Batch, step: int) -> Work:
        own = self.inner.work(batch, step)
        return own + self.inner.work(batch.remembered, step) if batch.remembered else own

    def loss(self, batch: Batch, outputs: Mapping[str, Tensor]) -> BatchLoss:
        found = self.inner.loss(batch, outputs)
        moved = _moved(batch, outputs, "")
        loss, numbers = found.loss + self.weight * moved, {**found.numbers, "moved": moved.detach()}
        if batch.remembered is not None:
            others = _moved(batch.remembered, outputs, f"{BESIDE} ")
            loss, numbers = loss + self.weight * others, {**numbers, "remembered_moved": others.detach()}
        return BatchLoss(loss, numbers)


def _first_vectors(batch: Batch) -> dict[str, Tensor]:
    """What the starting model gave the rows, by the names of the passes that are compared with it."""
    texts = batch.teacher_text_vectors
    if texts is not None and batch.captioned is not None:
        texts = texts * batch.captioned[:, None]
    first = {"image": batch.teacher_image_vectors, "text": texts}
    return {name: vectors for name, vectors in first.items() if vectors is not None}


def _moved(batch: Batch, outputs: Mapping[str, Tensor], prefix: str) -> Tensor:
    """The mean of the distances of pictures and texts; one that is not compared counts as 0."""
    distances = [mean_distance(outputs[prefix + name], vectors) for name, vectors in _first_vectors(batch).items()]
    return torch.stack(distances).sum() / 2


def mean_distance(vectors: Tensor, first: Tensor) -> Tensor:
    """The mean over the rows of all processes of 1 − cosine, for unit vectors (b, E) of this process.

    Rows of which the starting model gave nothing (zeros) do not count. Its gradient is that of this process's rows.
    """
    first = first.to(vectors.device, vectors.dtype, non_blocking=True)
    known = first.any(dim=1)
    mine = ((vectors - first)[known] ** 2).sum() / 2
    rows = sum_over_processes(known.sum().to(vectors.dtype))
    whole = sum_over_processes(mine.detach().clone())
    return (whole + mine - mine.detach()) / rows.clamp(min=1)
