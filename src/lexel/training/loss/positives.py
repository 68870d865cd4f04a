"""Which texts are right answers (positives) for which images, known by groups and never held as a matrix.

An image's own text is always right. Where two samples show the same image or their texts mean the same, each text is
as right as the other (Yang et al. 2022, UniCL). Most images of a batch have one right answer, on the diagonal of the
matrix of images and texts. Only rows that have several right answers are looked at as a whole, tile by tile.
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
        self.rows_of_each = rows_of_each(len(groups.image), like.device)  # samples of each process
        self.first_row = sum(self.rows_of_each[: rank()])  # number of this process's first sample among all
        own = slice(self.first_row, self.first_row + len(groups.image))
        groups = _renumbered(_gather(groups, self.rows_of_each, like.device))
        texts_of_image, images_of_text = _count_answers(groups)
        several = texts_of_image[own] > 1
        text_shares, image_shares = 1 / texts_of_image[own].double(), 1 / images_of_text.double()
        own_weights = torch.where(several, 0, text_shares + image_shares[own])
        self._own_weights = own_weights.to(like)  # (b,) of an image's own text; 0 in rows with several answers
        self._has_one_answer = (~several).to(like.device)  # (b,) bool
        self._rows_with_several: list[int] = several.nonzero().flatten().tolist()
        if self._rows_with_several:
            self._several = torch.tensor(self._rows_with_several, device=like.device)
            self._shares = text_shares.to(like), image_shares.to(like)  # (b,), (B,)
            self._columns = groups.image.to(like.device), groups.text.to(like.device)  # (B,) each
            self._rows = tuple(kind[own].to(like.device) for kind in (groups.image, groups.label, groups.text))

    def in_tile(self, rows: slice, columns: slice) -> "TileAnswers":
        """The right answers in the tile of `rows` of this process and `columns` of all processes' texts."""
        # The own text of image i is in column first_row + i.
        start = max(rows.start, columns.start - self.first_row)
        stop = max(start, min(rows.stop, columns.stop - self.first_row))
        return TileAnswers(
            own_rows=slice(start, stop),
            row_offset=start - rows.start,
            column_offset=self.first_row + start - columns.start,
            own_weights=self._own_weights[start:stop],
            has_one_answer=self._has_one_answer[start:stop],
            several=self._several_in(rows, columns),
        )

    def _several_in(self, rows: slice, columns: slice) -> "SeveralAnswers | None":
        first = bisect_left(self._rows_with_several, rows.start)
        last = bisect_left(self._rows_with_several, rows.stop)
        if first == last:
            return None
        numbers = self._several[first:last]
        image, label, text = (kind[numbers, None] for kind in self._rows)
        column_image, column_text = (kind[columns] for kind in self._columns)
        belong = (image == column_image).logical_or_(text == column_text).logical_or_(label == column_text)
        text_shares, image_shares = self._shares
        weights = (text_shares[numbers, None] + image_shares[columns]).mul_(belong)
        return SeveralAnswers(numbers, numbers - rows.start, belong, weights)


@dataclass(frozen=True, slots=True)
class SeveralAnswers:
    """The Q rows of a tile (R, C) that have several right answers, here or in other tiles."""

    rows: Tensor  # (Q,) int64, numbers among the process's rows
    tile_rows: Tensor  # (Q,) int64, numbers in the tile
    belong: Tensor  # (Q, C) bool
    weights: Tensor  # (Q, C), 0 where they do not belong


@dataclass(frozen=True, slots=True)
class TileAnswers:
    """The right answers in one tile (R, C): what the losses ask of them, and do to them in place.

    The D own texts of images that are in the tile lie on a diagonal, from (`row_offset`, `column_offset`) on.
    """

    own_rows: slice  # D of the process's rows
    row_offset: int
    column_offset: int
    own_weights: Tensor  # (D,), 0 for rows with several answers
    has_one_answer: Tensor  # (D,) bool
    several: SeveralAnswers | None

    def raise_best(self, logits: Tensor, best: Tensor) -> None:
        """Raise `best` (b,) to the right answers' logits."""
        best[self.own_rows] = best[self.own_rows].maximum(self._diagonal_of(logits))
        if found := self.several:
            answers = logits[found.tile_rows].masked_fill_(~found.belong, -torch.inf)
            best[found.rows] = best[found.rows].maximum(answers.amax(1))

    def add_weighted(self, logits: Tensor, sums: Tensor) -> None:
        """Add the right answers' logits, weighted, to `sums` (b,)."""
        sums[self.own_rows] += self._diagonal_of(logits) * self.own_weights
        if found := self.several:
            sums[found.rows] += (logits[found.tile_rows] * found.weights).sum(1)

    def subtract_weights(self, tile: Tensor, factor: float = 1.0) -> None:
        """Take `factor` times the weights off the tile."""
        self._diagonal_of(tile).sub_(self.own_weights, alpha=factor)
        if found := self.several:
            tile.index_add_(0, found.tile_rows, found.weights.to(tile.dtype), alpha=-factor)

    def negate(self, tile: Tensor) -> None:
        """Change the sign of the right answers' entries."""
        diagonal = self._diagonal_of(tile)
        diagonal.copy_(torch.where(self.has_one_answer, -diagonal, diagonal))
        if found := self.several:
            entries = tile[found.tile_rows]
            tile[found.tile_rows] = torch.where(found.belong, -entries, entries)

    def _diagonal_of(self, tile: Tensor) -> Tensor:
        """The entries of images and their own texts (D,), as a view."""
        length = len(self.own_weights)
        rows = slice(self.row_offset, self.row_offset + length)
        columns = slice(self.column_offset, self.column_offset + length)
        return tile[rows, columns].diagonal()


def _gather(groups: Groups, rows_of_each: list[int], device: torch.device) -> Groups:
    """The groups of all processes' samples, in the host's memory."""
    kinds = torch.stack([groups.image, groups.label, groups.text], dim=1)  # (b, 3)
    if len(rows_of_each) > 1:
        kinds = gather_rows(kinds.to(device), rows_of_each)
    return Groups(*kinds.cpu().unbind(1))


def _renumbered(groups: Groups) -> Groups:
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
