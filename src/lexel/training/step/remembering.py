"""Fine-tuning that remembers: beside another objective, embeddings are kept near those of the starting model.

What is added is weight times the mean over the batch of half the squared distance of each picture's embedding, and of
each text's, from the one that the starting model gives it: 1 − cosine, as both are of unit length. Both models look at
the same view of a picture: against the whole picture a crop would be pulled away from where the start has it. Own texts
are few, so other ones are held as well: the same in which half of the tokens are others of the vocabulary. The same is
added for the pictures and texts of another source, where a batch brings some.
"""

import copy
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from lexel.data.loader import Batch
from lexel.models.clip import CLIP
from lexel.models.towers import Tower
from lexel.training.distributed.collectives import sum_over_processes
from lexel.training.distributed.sharding import whole_clip
from lexel.training.metering.work import Work
from lexel.training.step.contrastive import ContrastiveObjective
from lexel.training.step.objective import BatchLoss, ForwardPass
from lexel.training.step.seeds import draw_noise

FIRST, OTHER, BESIDE = "first", "other", "remembered"  # begin the names of the passes that are added
REPLACED = 0.5  # share of the tokens of an other text


def first_model(clip: CLIP) -> CLIP:
    """A copy that stays as it is, whole where `clip` is sharded; every process must call this."""
    whole = whole_clip(clip)
    return (copy.deepcopy(clip) if whole is clip else whole).eval().requires_grad_(False)


class RememberingObjective:
    """An `Objective`: another one, and the distance from the starting model."""

    def __init__(
        self,
        inner: ContrastiveObjective,
        first: ContrastiveObjective,
        weight: float,
        sides: tuple[str, ...],
        beside: tuple[str, ...] = (),
    ) -> None:
        """`first` makes the passes of the starting model. The towers that are held are `sides` for the batch itself,
        and `beside` for another source, which batches bring where any is."""
        self.inner = inner
        self.first = first
        self.weight = weight
        self.sides = sides
        self.beside = beside

    @property
    def model(self) -> nn.Module:
        return self.inner.model

    @property
    def towers(self) -> Mapping[str, Tower]:
        return self.inner.towers

    def passes(self, batch: Batch, step: int) -> Mapping[str, ForwardPass]:
        own, first = self.inner.passes(batch, step), self.first.passes(batch, step)
        found = {**own, **{f"{FIRST} {side}": first[side] for side in self.sides}}
        if "text" in self.sides:
            assert batch.ids is not None
            texts = replace(batch, ids=self._other_texts(batch.ids, batch.places, step))
            found |= {f"{OTHER} text": self.inner.text_pass(texts)}
            found |= {f"{FIRST} {OTHER} text": self.first.text_pass(texts)}
        if batch.remembered is not None:
            others, first = (one.passes(batch.remembered, step) for one in (self.inner, self.first))
            for side in self.beside:
                found |= {f"{BESIDE} {side}": others[side], f"{FIRST} {BESIDE} {side}": first[side]}
        return found

    def largest_passes(self, rows: int) -> Mapping[str, ForwardPass]:
        own = self.inner.largest_passes(rows)
        found = {**own, **({f"{OTHER} text": own["text"]} if "text" in self.sides else {})}
        return {**found, **{f"{BESIDE} {side}": own[side] for side in self.beside}}

    def work(self, batch: Batch, step: int) -> Work:
        shown = [batch, *([batch.remembered] if batch.remembered else [])]
        shown += [replace(batch, pixels=None)] if "text" in self.sides else []  # the other texts
        total = Work(0, 0)
        for one in shown:
            total += self.inner.work(one, step) + Work(0, self.first.work(one, step).flops)
        return total

    def loss(self, batch: Batch, outputs: Mapping[str, Tensor]) -> BatchLoss:
        found = self.inner.loss(batch, outputs)
        moved = _moved(outputs, "", self.sides, {"text": batch.captioned})
        loss, numbers = found.loss + self.weight * moved, {**found.numbers, "moved": moved.detach()}
        if f"{OTHER} text" in outputs:
            others = mean_distance(outputs[f"{OTHER} text"], outputs[f"{FIRST} {OTHER} text"]) / 2
            loss = loss + self.weight * others
        if batch.remembered is not None:
            holds = {"image": _readable(batch.remembered), "text": batch.remembered.captioned}
            others = _moved(outputs, f"{BESIDE} ", self.beside, holds)
            loss, numbers = loss + self.weight * others, {**numbers, "remembered_moved": others.detach()}
        return BatchLoss(loss, numbers)

    def _other_texts(self, ids: Tensor, places: Tensor, step: int) -> Tensor:
        """The token ids (b, T) with half of the tokens between start and end of text replaced by random ones.

        They follow from the recipe's seed, the step and the `places` (b,) in the batch.
        """
        recipe, text = self.first.recipe, self.first.clip.config.text
        noise = draw_noise(recipe.seed, step, recipe.batch_size, 2 * text.context_length, places)
        choice, token = noise[:, : 2 * ids.shape[1]].unflatten(1, (-1, 2)).unbind(2)
        drawn = (token * text.vocabulary_size).long()
        stays = (ids == text.end_of_text).cumsum(1) > 0
        stays |= (choice > REPLACED) | (drawn == text.end_of_text) | (drawn == text.pad_id)
        stays[:, :1] = True  # where a text begins
        return torch.where(stays, ids, drawn)


def _moved(
    outputs: Mapping[str, Tensor], prefix: str, sides: tuple[str, ...], holds: Mapping[str, Tensor | None]
) -> Tensor:
    """Half the sum of the mean distances of pictures and texts: of the rows (b,) that `holds` marks, or of all."""
    distances = [
        mean_distance(outputs[prefix + side], _only(outputs[f"{FIRST} {prefix}{side}"], holds.get(side)))
        for side in sides
    ]
    return torch.stack(distances).sum() / 2


def _readable(batch: Batch) -> Tensor:
    """(b,) bool: which pictures are no black ones in the place of a file that cannot be read."""
    unreadable = {key for key, _ in batch.bad}
    return torch.tensor([key not in unreadable for key in batch.keys], dtype=torch.bool)


def _only(vectors: Tensor, holds: Tensor | None) -> Tensor:
    """The vectors, with zeros where nothing is to be compared."""
    return vectors if holds is None else vectors * holds.to(vectors.device)[:, None]


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
