"""The stream of training samples from sources, as bytes, for any number of workers and processes and any start."""

from collections.abc import Sequence
from itertools import chain

from lexel.data.augment import Augmentation
from lexel.data.loader import Batch, BatchMaker, TrainingSource, load_batches, order_of
from lexel.data.order import Share
from lexel.images import Preprocessing
from lexel.tokenizer import Tokenizer

BATCH = 8
TOKENIZER = Tokenizer.train(["picture 1", "a photo of a cat"], 300, 16)


def stream(
    sources: Sequence[TrainingSource], steps: int, *, workers: int = 0, ranks: int = 1, start: int = 0
) -> list[tuple[str, bytes, bytes]]:
    """Key, pixels and tokens of every sample, in the order of the whole batch."""
    of_ranks = [
        list(load_batches(_maker(sources, Share(rank, ranks)), start=start, stop=steps, workers=workers))
        for rank in range(ranks)
    ]
    return list(chain.from_iterable(map(_samples, chain.from_iterable(zip(*of_ranks, strict=True)))))


def _maker(sources: Sequence[TrainingSource], share: Share) -> BatchMaker:
    return BatchMaker(
        sources=sources,
        order=order_of(sources, seed=3),
        batch_size=BATCH,
        tokenizer=TOKENIZER,
        preprocessing=Preprocessing(image_size=16),
        augmentation=Augmentation(),
        share=share,
    )


def _samples(batch: Batch) -> list[tuple[str, bytes, bytes]]:
    assert batch.pixels is not None
    assert batch.ids is not None
    return [
        (key, pixels.numpy().tobytes(), ids[ids != 0].numpy().tobytes())
        for key, pixels, ids in zip(batch.keys, batch.pixels, batch.ids, strict=True)
    ]
