"""Which texts are right answers for which images, known by groups and never held as a matrix.

The text of the same sample always is. Others are where two samples show the same image or their texts mean the same:
each is as right as the other (Yang et al. 2022, UniCL). Most samples of a batch have no such company, so the diagonal
is handled by itself, and only the rows that have several right answers are looked at as a whole, tile by tile.
"""

from bisect import bisect_left
from dataclasses import dataclass

import torch
from torch import Tensor

from lexel.training.distributed.collectives import gather_rows, rank, rows_of_each


@dataclass(frozen=True, slots=True)
class Groups:
    """Numbers of what samples mean, (b,) int64 each. Best left in the host's memory: they are counted there.

    Image i and text j belong together when they are of the same image, when the texts of i and j mean the same, or when
    text j is the label of image i. A label and a text that only says it have the same number.
    """

    image: Tensor
    label: Tensor  # −1 without a label
    text: Tensor


class Positives:
    """The right answers of this process's images among the texts of all processes.

    Each has a weight: 1 / (how many texts belong to the image) + 1 / (how many images belong to the text).
    """

    def __init__(self, groups: Groups, like: Tensor) -> None:
        """`groups` are of this process's samples. Weights have the device and the type of `like`."""
        self.counts = rows_of_each(len(groups.image), like.device)  # samples of each process
        self.first = sum(self.counts[: rank()])  # number of this one's first sample
        own = slice(self.first, self.first + len(groups.image))
        groups = _numbered_anew(_gather(groups, self.counts, like.device))
        texts, images = _count_answers(groups)
        several = texts[own] > 1
        text_shares, image_shares = 1 / texts[own].double(), 1 / images.double()
        self.diagonal = torch.where(several, 0, text_shares + image_shares[own]).to(
            like
        )  # (b,) of rows with one answer
        self.alone = (~several).to(like.device)
        self.several: list[int] = several.nonzero().flatten().tolist()
        if self.several:
            self._several = torch.tensor(self.several, device=like.device)
            self._shares = text_shares.to(like), image_shares.to(like)
            self._columns = groups.image.to(like.device), groups.text.to(like.device)
            self._rows = tuple(kind[own].to(like.device) for kind in (groups.image, groups.label, groups.text))

    def within(self, rows: slice, columns: slice) -> "Answers":
        """Those in a tile, which is of these images of this process and these texts of all."""
        start = max(self.first + rows.start, columns.start)
        stop = max(start, min(self.first + rows.stop, columns.stop))
        answers = Answers(
            own=slice(start - self.first, stop - self.first),
            diagonal=self.diagonal[start - self.first : stop - self.first],
            alone=self.alone[start - self.first : stop - self.first],
            down=start - self.first - rows.start,
            right=start - columns.start,
        )
        first, last = bisect_left(self.several, rows.start), bisect_left(self.several, rows.stop)
        if first < last:
            numbers = self._several[first:last]
            image, label, text = (kind[numbers, None] for kind in self._rows)
            column_image, column_text = (kind[columns] for kind in self._columns)
            belong = (image == column_image).logical_or_(text == column_text).logical_or_(label == column_text)
            weights = (self._shares[0][numbers, None] + self._shares[1][columns]).mul_(belong)
            answers.several = Several(numbers, numbers - rows.start, belong, weights)
        return answers


@dataclass(frozen=True, slots=True)
class Several:
    """The rows of a tile that have several right answers, here or in other tiles."""

    numbers: Tensor  # (Q,) int64, of the process's rows
    places: Tensor  # (Q,) int64, in the tile
    belong: Tensor  # (Q, C) bool
    weights: Tensor  # (Q, C), 0 where they do not belong


@dataclass(slots=True)
class Answers:
    """The right answers in one tile (R, C): what the losses ask of them, and do to them in place."""

    own: slice  # rows of this process whose own text is in the tile
    diagonal: Tensor  # weights of these, 0 for rows with several answers
    alone: Tensor  # bool: which of these have one answer
    down: int  # where in the tile they begin
    right: int
    several: Several | None = None

    def raise_best(self, logits: Tensor, best: Tensor) -> None:
        """Raise `best` (b,) to the right answers' logits."""
        best[self.own] = best[self.own].maximum(self._of(logits))
        if found := self.several:
            answers = logits[found.places].masked_fill_(~found.belong, -torch.inf)
            best[found.numbers] = best[found.numbers].maximum(answers.amax(1))

    def add(self, logits: Tensor, sums: Tensor) -> None:
        """Add the right answers' logits, weighted, to `sums` (b,)."""
        sums[self.own] += self._of(logits) * self.diagonal
        if found := self.several:
            sums[found.numbers] += (logits[found.places] * found.weights).sum(1)

    def subtract_weights(self, tile: Tensor, factor: float = 1.0) -> None:
        """Take `factor` times the weights off the tile."""
        self._of(tile).sub_(self.diagonal, alpha=factor)
        if found := self.several:
            tile.index_add_(0, found.places, found.weights.to(tile.dtype), alpha=-factor)

    def negate(self, tile: Tensor) -> None:
        """Change the sign of the right answers' entries."""
        diagonal = self._of(tile)
        diagonal.copy_(torch.where(self.alone, -diagonal, diagonal))
        if found := self.several:
            entries = tile[found.places]
            tile[found.places] = torch.where(found.belong, -entries, entries)

    def _of(self, tile: Tensor) -> Tensor:
        """The entries of images and their own texts, as a view."""
        length = len(self.diagonal)
        return tile[self.down : self.down + length, self.right : self.right + length].diagonal()


def _gather(groups: Groups, counts: list[int], device: torch.device) -> Groups:
    """Those of all processes, in the host's memory."""
    kinds = torch.stack([groups.image, groups.label, groups.text], dim=1)  # (b, 3)
    if len(counts) > 1:
        kinds = gather_rows(kinds.to(device), counts)
    return Groups(*kinds.cpu().unbind(1))


def _numbered_anew(groups: Groups) -> Groups:
    """The same groups with small numbers; a label that the sample's own text says is dropped, as it adds nothing."""
    image = torch.unique(groups.image, return_inverse=True)[1]
    meanings = torch.unique(torch.cat([groups.label, groups.text]), return_inverse=True)[1]
    label, text = meanings.chunk(2)
    label = torch.where(label == text, -1, label)
    return Groups(image.int(), label.int(), text.int())


def _count_answers(groups: Groups) -> tuple[Tensor, Tensor]:
    """How many texts belong to each image, and how many images to each text. Both (B,) int64.

    Text and label of a row never agree, so those that belong by either are disjoint; those that belong by their image
    as well are counted twice and taken off.
    """
    image, label, text = groups.image.long(), groups.label.long(), groups.text.long()
    width = 2 * len(image) + 1  # more than there are meanings
    by_text = image * width + text
    by_label = torch.where(label < 0, -1, image * width + label)
    answers = _count(image, image) + _count(text, text) + _count(label, text)
    answers -= _count(by_text, by_text) + _count(by_label, by_text)
    images = _count(image, image) + _count(text, text) + _count(text, label)
    images -= _count(by_text, by_text) + _count(by_text, by_label)
    return answers, images


def _count(wanted: Tensor, among: Tensor) -> Tensor:
    """How often each of the numbers `wanted` is `among` the others."""
    ordered = among.sort().values
    return torch.searchsorted(ordered, wanted, right=True) - torch.searchsorted(ordered, wanted)
