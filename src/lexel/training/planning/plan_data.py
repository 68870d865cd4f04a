"""What a run reads: how many pairs, how long their captions, how many bytes. Measured where it can be, else stated."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lexel.batches import ceil_div
from lexel.data.captions import draw_caption
from lexel.data.loader import order_of
from lexel.data.pairs import EmbeddedImage, ImageFile, Pair, ShardImage, TableImage
from lexel.errors import UsageError
from lexel.tokenizer import Tokenizer
from lexel.training.inputs.input_reader import InputReader
from lexel.training.inputs.starting_weights import StartingWeights
from lexel.training.inputs.training_data import TrainingData, gather, train_tokenizer
from lexel.training.metering.work import caption_lengths
from lexel.training.recipe import Recipe

ASSUMED_TOKENS = 20  # of a caption, start and end included: about what web captions have
ASSUMED_PAIR_BYTES = 25_000  # LAION-400M with pictures of 256 pixels fills 10 TB
SAMPLED_PAIRS = 2000  # that are measured, at most


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
    return PlanData(
        pairs, pairs, {tokens or ASSUMED_TOKENS: 1.0}, ASSUMED_PAIR_BYTES if pair_bytes is None else pair_bytes, origin
    )


def measured_data(
    recipe: Recipe, reader: InputReader, tokens: int | None, pair_bytes: float | None
) -> tuple[PlanData, Tokenizer]:
    """The recipe's sources, of which some pairs are looked at, and a tokenizer with as many tokens as the run's.

    Raises UsageError or DataError as training would.
    """
    try:
        training_data = gather(recipe, reader)
    except UsageError as error:
        raise UsageError(f"{error}\nA plan needs no source where you say how many pairs it has: --pairs N") from None
    every = ceil_div(training_data.pairs, SAMPLED_PAIRS)
    looked_at: list[Pair] = []
    texts: list[str] = []
    random = np.random.default_rng(recipe.seed)
    for source in training_data.sources:
        pairs = source.pairs[::every]
        looked_at += pairs
        texts += [draw_caption(pair, source.templates, source.label_share, random)[0] for pair in pairs]
    stated = [option for option, said in (("--tokens", tokens), ("--pair-bytes", pair_bytes)) if said is not None]
    order = order_of(training_data.sources, recipe.seed)
    starting = reader.starting_weights(recipe.model)
    tokenizer = starting.tokenizer or _tokenizer(recipe, starting, training_data, texts)
    data = PlanData(
        pairs=training_data.pairs,
        epoch=order.epoch_size,
        lengths={tokens: 1.0} if tokens else _lengths(tokenizer, texts),
        pair_bytes=sum(map(_bytes_of, looked_at)) / len(looked_at) if pair_bytes is None else pair_bytes,
        origin=f"measured on {len(looked_at):,} pairs" + (f", {' and '.join(stated)} stated" if stated else ""),
    )
    return data, tokenizer


def _tokenizer(
    recipe: Recipe, starting: StartingWeights, training_data: TrainingData, texts: Sequence[str]
) -> Tokenizer:
    """One that is learned from these texts alone where they fill the vocabulary, as all texts then do too."""
    context = starting.architecture(recipe).text.context_length
    tokenizer = Tokenizer.train(texts, recipe.tokenizer.vocabulary_size, context)
    if tokenizer.vocabulary_size == recipe.tokenizer.vocabulary_size:
        return tokenizer
    return train_tokenizer(recipe, training_data, context)


def _lengths(tokenizer: Tokenizer, texts: Sequence[str]) -> dict[int, float]:
    """Tokens of a text → share of such texts."""
    lengths = caption_lengths(torch.from_numpy(tokenizer(texts)), tokenizer.end_of_text)
    return {length: count / len(texts) for length, count in sorted(Counter(lengths).items())}


def _bytes_of(pair: Pair) -> int:
    captions = sum(len(caption.encode()) for caption in pair.captions)
    match pair.picture:
        case ImageFile(path):
            return captions + path.stat().st_size
        case ShardImage(size=size):
            return captions + size
        case TableImage():
            return captions + len(pair.picture.content())
        case EmbeddedImage(content):
            return captions + len(content)
        case _:
            return 0
