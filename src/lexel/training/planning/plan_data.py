"""What a run reads: how many pairs, how long their captions, how many bytes. Measured where it can be, else stated."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lexel.data.captions import draw_caption
from lexel.data.order import Order
from lexel.data.pairs import EmbeddedImage, ImageFile, Pair
from lexel.errors import UsageError
from lexel.tokenizer import Tokenizer
from lexel.training.inputs.starting_weights import Given
from lexel.training.inputs.training_data import gather
from lexel.training.metering.work import caption_lengths
from lexel.training.recipe import Recipe

TOKENS = 20  # of a caption, start and end included: about what web captions have
PAIR_BYTES = 25_000  # LAION-400M with pictures of 256 pixels fills 10 TB
LOOKED_AT = 2000  # pairs that are measured, at most


@dataclass(frozen=True, slots=True)
class PlanData:
    """The data of a run as its plan knows it."""

    pairs: int  # stored
    epoch: int  # pairs that an epoch shows
    lengths: Mapping[int, float]  # tokens of a caption, start and end included → share of such captions
    pair_bytes: float  # mean of picture and captions; 0 where pictures are drawn as they are needed
    origin: str  # of these numbers

    @property
    def tokens(self) -> float:
        """Of a caption, on average."""
        return sum(length * share for length, share in self.lengths.items())

    @property
    def bytes(self) -> float:
        """To be stored."""
        return self.pairs * self.pair_bytes


def stated_data(pairs: int, tokens: int | None, pair_bytes: float | None) -> PlanData:
    """Data that need not be here."""
    assumed = [option for option, given in (("--tokens", tokens), ("--pair-bytes", pair_bytes)) if given is None]
    origin = "stated" + (f", {' and '.join(assumed)} assumed" if assumed else "")
    return PlanData(pairs, pairs, {tokens or TOKENS: 1.0}, PAIR_BYTES if pair_bytes is None else pair_bytes, origin)


def measured_data(recipe: Recipe, given: Given, tokens: int | None, pair_bytes: float | None) -> PlanData:
    """The recipe's sources, of which some pairs are looked at. Raises UsageError or DataError as training would."""
    try:
        material = gather(recipe)
    except UsageError as error:
        raise UsageError(f"{error}\nA plan needs no source where you say how many pairs it has: --pairs N") from None
    every = -(-material.pairs // LOOKED_AT)
    looked_at: list[Pair] = []
    texts: list[str] = []
    random = np.random.default_rng(recipe.seed)
    for source in material.sources:
        pairs = source.pairs[::every]
        looked_at += pairs
        texts += [draw_caption(pair, source.templates, source.label_share, random)[0] for pair in pairs]
    stated = [option for option, said in (("--tokens", tokens), ("--pair-bytes", pair_bytes)) if said is not None]
    order = Order([len(s.pairs) for s in material.sources], [s.weight for s in material.sources], recipe.seed)
    return PlanData(
        pairs=material.pairs,
        epoch=order.epoch_size,
        lengths={tokens: 1.0} if tokens else _lengths(recipe, given, texts),
        pair_bytes=sum(map(_bytes_of, looked_at)) / len(looked_at) if pair_bytes is None else pair_bytes,
        origin=f"measured on {len(looked_at):,} pairs" + (f", {' and '.join(stated)} stated" if stated else ""),
    )


def _lengths(recipe: Recipe, given: Given, texts: Sequence[str]) -> dict[int, float]:
    """In the given tokenizer, or in one that is learned from these texts alone, which is a little larger or smaller."""
    context = given.architecture(recipe).text.context_length
    tokenizer = given.tokenizer or Tokenizer.train(texts, recipe.tokenizer.vocabulary_size, context)
    lengths = caption_lengths(torch.from_numpy(tokenizer(texts)), tokenizer.end_of_text)
    return {length: count / len(texts) for length, count in sorted(Counter(lengths).items())}


def _bytes_of(pair: Pair) -> int:
    captions = sum(len(caption.encode()) for caption in pair.captions)
    match pair.picture:
        case ImageFile(path):
            return captions + path.stat().st_size
        case EmbeddedImage(content):
            return captions + len(content)
        case _:
            return 0
