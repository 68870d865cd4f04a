"""Distillation: beside another objective, a model matches the embeddings of a larger one.

    loss = contrast · the other objective's + features · distance + similarities · divergence

The distance is 1 − cosine of each embedding from the teacher's of the same picture or text, the mean of both towers.
The divergence compares, for each picture, the model's distribution over the texts of the batch with the teacher's, and
for each text that over the pictures (`loss/soft_targets.py`). Pictures are looked at as they are augmented, and
compared with what the teacher made of the whole picture. A picture without a caption has a distance alone.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from lexel.data.loader import Batch
from lexel.models.clip import CLIP
from lexel.models.towers import Tower
from lexel.training.distillation.settings import DistillSettings
from lexel.training.distillation.teacher_map import teacher_map_of
from lexel.training.distributed.collectives import rows_of_each
from lexel.training.loss.soft_targets import soft_target_loss
from lexel.training.metering.work import Work
from lexel.training.step.contrastive import ContrastiveObjective
from lexel.training.step.objective import BatchLoss, ForwardPass
from lexel.training.step.remembering import mean_distance


class DistillingObjective:
    """An `Objective`: that of CLIP, and the distance from the teacher. Batches bring the teacher's vectors."""

    def __init__(self, inner: ContrastiveObjective, settings: DistillSettings, teacher_scale: float) -> None:
        """`teacher_scale` is the factor of the teacher's cosines."""
        self.inner = inner
        self.settings = settings
        self.teacher_scale = teacher_scale
        self._map = teacher_map_of(inner.clip)

    @property
    def model(self) -> CLIP:
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
        """Of unit vectors (b, E), and the teacher's (b, D)."""
        settings = self.settings
        assert batch.teacher_image_vectors is not None
        assert batch.teacher_text_vectors is not None
        images = outputs["image"]
        teacher_images, teacher_texts = (
            vectors.to(images.device, images.dtype, non_blocking=True)
            for vectors in (batch.teacher_image_vectors, batch.teacher_text_vectors)
        )
        # Without features there is no map: lengths may differ, and the distributions are compared all the same.
        of_images = self._distance(images, teacher_images) if settings.features else images.new_zeros(())
        spoken = torch.arange(len(images)) if batch.captioned is None else batch.captioned.nonzero().flatten()
        counts = rows_of_each(len(spoken), images.device)
        if not sum(counts):
            nothing = 0 * images.sum()  # but differentiable, where features do not count
            return BatchLoss(settings.features * of_images + nothing, {"feature_distance": of_images.detach()})

        rows = spoken.to(images.device)
        images, texts = images[rows], outputs["text"][rows]
        teacher_images, teacher_texts = teacher_images[rows], teacher_texts[rows]
        loss, numbers = images.new_zeros(()), {}
        if settings.features:
            distance = (of_images + self._distance(texts, teacher_texts)) / 2
            loss, numbers = settings.features * distance, {"feature_distance": distance.detach()}
        if settings.similarities:
            scale = self.inner.clip.logit_scale.exp()
            both = (images, teacher_images), (texts, teacher_texts)
            divergence = torch.stack(
                [
                    soft_target_loss(own, others, scale, of_own, of_others, self.teacher_scale, counts)
                    for (own, of_own), (others, of_others) in (both, both[::-1])
                ]
            ).mean()
            loss = loss + settings.similarities * divergence
            numbers["similarity_divergence"] = divergence.detach()
        if settings.contrast:
            found = self.inner.loss(_only(batch, spoken), {"image": images, "text": texts})
            loss = loss + settings.contrast * found.loss
            numbers |= {"contrast": found.loss.detach(), **found.numbers}
        return BatchLoss(loss, numbers)

    def _distance(self, vectors: Tensor, teachers: Tensor) -> Tensor:
        return mean_distance(vectors if self._map is None else self._map(vectors), teachers)


def _only(batch: Batch, rows: Tensor) -> Batch:
    """The batch with the groups of these rows alone."""
    groups = ("image_group", "label_group", "text_group")
    return replace(batch, **{name: getattr(batch, name)[rows] for name in groups})
