"""Training batches: decoded, augmented, captioned and tokenized in worker processes, the same for any number of them.

All that is random about a sample is drawn from a generator seeded by (seed, epoch, visit, key), so neither the worker
that makes it nor the moment matters. A picture that cannot be read is left out of its batch and named.
"""

import hashlib
import os
import re
import signal
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lexel.data.augment import Augmentation, augment
from lexel.data.captions import draw_caption, meaning_of_label
from lexel.data.order import Order, Sample
from lexel.data.pairs import Pair
from lexel.errors import BadImageError
from lexel.images import Preprocessing
from lexel.tokenizer import Tokenizer

SIDES = re.compile(r"\b(left|right)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TrainingSource:
    """Pairs to learn from, how often they come in an epoch, and the templates that make captions of bare labels."""

    pairs: Sequence[Pair]
    weight: float
    templates: tuple[str, ...]
    label_share: float = 0.0  # how often a pair that has both shows its label instead of a caption


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step learns from. The groups number what images, labels and texts mean (see `belongings`)."""

    pixels: Tensor  # (B, 3, H, W) uint8
    ids: Tensor  # (B, T) int64, T the longest caption
    image_group: Tensor  # (B,) int64
    label_group: Tensor  # (B,) int64, −1 without a label
    text_group: Tensor  # (B,) int64
    keys: tuple[str, ...]
    bad: tuple[tuple[str, str], ...]  # key and reason of each picture left out

    def pin_memory(self) -> "Batch":
        tensors = (self.pixels, self.ids, self.image_group, self.label_group, self.text_group)
        return Batch(*(tensor.pin_memory() for tensor in tensors), keys=self.keys, bad=self.bad)


@dataclass(frozen=True)
class BatchMaker(Dataset[Batch]):
    """Makes the batch of any step, in whatever process it is asked."""

    sources: Sequence[TrainingSource]
    order: Order
    batch_size: int
    tokenizer: Tokenizer
    preprocessing: Preprocessing
    augmentation: Augmentation

    def __getitem__(self, step: int) -> Batch:
        pixels, captions, keys, bad = [], [], [], []
        groups: list[tuple[int, int, int]] = []  # of image, label and text
        for sample in self.order.batch(step, self.batch_size):
            source = self.sources[sample.source]
            pair = source.pairs[sample.index]
            random = _generator(self.order.seed, sample, pair.key)
            caption, meaning = draw_caption(pair, source.templates, source.label_share, random)
            try:
                image = pair.picture.load()
            except BadImageError as error:
                bad.append((pair.key, str(error)))
                continue
            sides = SIDES.search(caption) is not None
            pixels.append(augment(image, self.preprocessing, self.augmentation, random, sides))
            captions.append(caption)
            label_group = -1 if pair.label is None else _group(meaning_of_label(pair.label))
            groups.append((_group(f"{sample.source}/{pair.key}"), label_group, _group(meaning)))
            keys.append(pair.key)
        size = self.preprocessing.image_size
        image_group, label_group, text_group = torch.tensor(groups, dtype=torch.int64).reshape(-1, 3).unbind(1)
        return Batch(
            pixels=torch.from_numpy(np.stack(pixels) if pixels else np.empty((0, 3, size, size), np.uint8)),
            ids=torch.from_numpy(self.tokenizer(captions)),
            image_group=image_group,
            label_group=label_group,
            text_group=text_group,
            keys=tuple(keys),
            bad=tuple(bad),
        )


def load_batches(
    maker: BatchMaker, *, start: int, stop: int, workers: int, pin_memory: bool = False
) -> Iterator[Batch]:
    """The batches of steps `start` to `stop` − 1 in order, made ahead by `workers` processes (0: by this one)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="This DataLoader will create")  # the number is the user's to choose
        loader = DataLoader(
            maker,
            batch_size=None,
            sampler=range(start, stop),
            num_workers=workers,
            worker_init_fn=_quiet_worker if workers else None,
            prefetch_factor=4 if workers else None,
            pin_memory=pin_memory,
        )
        batches = iter(loader)
    yield from batches


def _quiet_worker(_: int) -> None:
    # Ctrl-C, and a system's SIGTERM to the whole group, belong to the trainer, which ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # One worker, one core: the tokenizer's own threads would fight the trainer for the others.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


def _generator(seed: int, sample: Sample, key: str) -> np.random.Generator:
    name = f"{seed}/{sample.epoch}/{sample.source}/{sample.visit}/{key}".encode()
    words = np.frombuffer(hashlib.blake2b(name, digest_size=16).digest(), dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=words))


def _group(name: str) -> int:
    """A 63-bit number for a name: equal names and, in practice, only these get the same."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") >> 1
