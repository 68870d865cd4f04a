"""Training batches: decoded, augmented, captioned and tokenized in worker processes, the same for any number of them.

All that is random about a sample is drawn from a generator seeded by (seed, epoch, visit, key), so neither the worker
that makes it nor the moment matters. A picture that cannot be read is left out of its batch and named.
"""

import hashlib
import multiprocessing
import os
import re
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lexel.data.augment import Augmentation, draw_view, least_side
from lexel.data.captions import draw_caption, meaning_of_label, says_something
from lexel.data.decoded_cache import DecodedCache
from lexel.data.frozen_vectors import EmbeddedPictures, EmbeddedTexts
from lexel.data.order import ALONE, Order, Sample, Share
from lexel.data.pairs import Pair, Picture, shard_ends
from lexel.data.picture_hash import load_with_hash
from lexel.data.views import render_view
from lexel.errors import BadImageError, LexelError
from lexel.images import Preprocessing
from lexel.progress import say
from lexel.tokenizer import Tokenizer

MAX_DEATHS = 3  # of workers one after the other; then something is wrong that stays so
_DEAD_WORKER = "exited unexpectedly"  # in what torch says of a worker that is gone
MAX_BYTES_SENT = 1 << 16  # of a tensor that is sent as bytes; larger ones are shared
SIDES = re.compile(r"\b(left|right)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TrainingSource:
    """Pairs to learn from, how often they come in an epoch, and the templates that make captions of bare labels."""

    pairs: Sequence[Pair]
    weight: float
    templates: tuple[str, ...]
    label_share: float = 0.0  # how often a pair that has both shows its label instead of a caption


def order_of(sources: Sequence[TrainingSource], seed: int) -> Order:
    """In which order the pairs of these sources come."""
    return Order(
        [len(source.pairs) for source in sources],
        [source.weight for source in sources],
        seed,
        [shard_ends(source.pairs) for source in sources],
    )


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step learns from. The groups number what images, labels and texts mean (see training's `Groups`).

    If a tower is frozen, its cached embeddings (`image_vectors` or `text_vectors`) are set, and `pixels` or `ids` is
    None.
    """

    pixels: Tensor | None  # (B, 3, H, W) uint8
    ids: Tensor | None  # (B, T) int64, T the longest caption
    image_group: Tensor  # (B,) int64
    label_group: Tensor  # (B,) int64, −1 without a label
    text_group: Tensor  # (B,) int64
    places: Tensor  # (B,) int64, of these rows in the batch of all processes, which has gaps where pictures are bad
    keys: tuple[str, ...]
    bad: tuple[tuple[str, str], ...]  # key and reason of each picture left out
    image_vectors: Tensor | None = None  # (B, E) float32 of unit length, in place of pixels
    text_vectors: Tensor | None = None  # (B, E) float32 of unit length, in place of ids
    teacher_image_vectors: Tensor | None = None  # (B, D) of another model, that embeddings are to be near
    teacher_text_vectors: Tensor | None = None  # (B, D) of the same model
    picture_hashes: np.ndarray | None = None  # (B,) uint64 (see picture_hash); None where no picture was read
    captioned: Tensor | None = None  # (B,) bool, whether anything is said of the picture; None: of each
    remembered: "Batch | None" = None  # as many rows of other pictures, which are not learned but remembered

    def __reduce__(self) -> tuple[Any, ...]:
        """Between processes small tensors go as bytes: each shared one costs half a millisecond of both."""
        held = {name: getattr(self, name) for name in self.__slots__}
        small = {n: v.numpy() for n, v in held.items() if isinstance(v, Tensor) and v.nbytes <= MAX_BYTES_SENT}
        return _received, (held | small, tuple(small))

    def pin_memory(self) -> "Batch":
        held = {name: getattr(self, name) for name in self.__slots__}
        return replace(
            self, **{name: value.pin_memory() for name, value in held.items() if isinstance(value, Tensor | Batch)}
        )

    def first_rows(self, count: int) -> "Batch":
        """The first `count` rows."""
        held = {name: getattr(self, name) for name in self.__slots__}
        cut = {name: value[:count] for name, value in held.items() if isinstance(value, Tensor)}
        return replace(self, **cut, keys=self.keys[:count])


def _received(held: dict[str, Any], small: Sequence[str]) -> Batch:
    tensors: dict[str, Any] = {name: torch.from_numpy(held[name]) for name in small}
    return Batch(**held | tensors)


@dataclass(frozen=True, kw_only=True)
class BatchMaker(Dataset[Batch]):
    """Makes its share of the batch of any step, in whatever process it is asked."""

    sources: Sequence[TrainingSource]
    order: Order
    batch_size: int
    tokenizer: Tokenizer
    preprocessing: Preprocessing
    augmentation: Augmentation
    pictures: EmbeddedPictures | None = None  # in place of pixels
    texts: EmbeddedTexts | None = None  # in place of ids
    texts_alone: bool = False  # no picture takes part, and none is opened
    teacher_pictures: EmbeddedPictures | None = None  # of another model, beside the pixels
    teacher_texts: EmbeddedTexts | None = None  # of the same model, beside the ids
    share: Share = ALONE  # of the batch
    size_at: Callable[[int], int] | None = None  # pixels a side in a step, as preprocessing says at most; None: always
    decoded: DecodedCache | None = None  # pictures are kept there for later epochs
    remembered: "BatchMaker | None" = None  # of other pictures, which are not learned but remembered
    fills_gaps: bool = False  # a picture that cannot be read is a black one, and named

    def __getitem__(self, step: int) -> Batch:
        preprocessing = self._preprocessing(step)
        share = self.share.of(self.batch_size)
        size = preprocessing.image_size
        no_pixels = self.pictures is not None or self.texts_alone
        pixels = None if no_pixels else torch.empty((len(share), 3, size, size), dtype=torch.uint8)
        vectors, hashes, captions, captioned, places, keys, bad, teacher = [], [], [], [], [], [], [], []
        groups: list[tuple[int, int, int]] = []  # of image, label and text
        for place, sample in zip(share, self.order.batch(step, self.batch_size, self.share), strict=True):
            source = self.sources[sample.source]
            pair = source.pairs[sample.index]
            random = _generator(self.order.seed, sample, pair.key)
            caption, meaning = draw_caption(pair, source.templates, source.label_share, random)
            try:
                known = self.teacher_pictures.find(sample) if self.teacher_pictures else None
                if self.pictures:
                    vectors.append(self.pictures.find(sample))
                elif pixels is not None:
                    picture, picture_hash = self._decoded(sample, pair.picture)
                    sides = SIDES.search(caption) is not None
                    view = draw_view(picture.shape[1::-1], preprocessing, self.augmentation, random, sides)
                    render_view(picture, view, preprocessing, pixels[len(keys)])
                    hashes.append(picture_hash)
            except BadImageError as error:
                bad.append((pair.key, str(error)))
                if not self.fills_gaps or pixels is None:
                    continue
                pixels[len(keys)] = 0
                known = None
            teacher.append(known)
            captions.append(caption)
            groups.append(group_numbers(f"{sample.source}/{pair.key}", pair.label, meaning))
            captioned.append(says_something(pair))
            places.append(place)
            keys.append(pair.key)
        remembered = self.remembered[step].first_rows(len(keys)) if self.remembered else None
        image_group, label_group, text_group = torch.tensor(groups, dtype=torch.int64).reshape(-1, 3).unbind(1)
        return Batch(
            pixels=None if pixels is None else pixels[: len(keys)],
            ids=None if self.texts else torch.from_numpy(self.tokenizer(captions)),
            image_group=image_group,
            label_group=label_group,
            text_group=text_group,
            places=torch.tensor(places, dtype=torch.int64),
            keys=tuple(keys),
            bad=(*bad, *(remembered.bad if remembered else ())),
            image_vectors=_stacked(vectors, self.pictures) if self.pictures else None,
            text_vectors=torch.from_numpy(self.texts.find(captions)) if self.texts else None,
            teacher_image_vectors=_stacked(teacher, self.teacher_pictures) if self.teacher_pictures else None,
            teacher_text_vectors=torch.from_numpy(self.teacher_texts.find(captions)) if self.teacher_texts else None,
            picture_hashes=None if no_pixels else np.array(hashes, np.uint64),
            captioned=torch.tensor(captioned, dtype=torch.bool),
            remembered=remembered,
        )

    def _preprocessing(self, step: int) -> Preprocessing:
        if self.size_at is None:
            return self.preprocessing
        return self.preprocessing.model_copy(update={"image_size": self.size_at(step)})

    def _decoded(self, sample: Sample, picture: Picture) -> tuple[np.ndarray, int]:
        """The picture, (height, width, 3) uint8, and the hash of its file. Raises BadImageError."""
        found = self.decoded.find(sample.source, sample.index) if self.decoded else None
        if found is not None:
            return found
        # One size for all steps and views of a run: with a cache and without, the pixels are the same.
        image, picture_hash = load_with_hash(picture, least_side(self.preprocessing, self.augmentation))
        pixels = np.asarray(image)
        if self.decoded:
            self.decoded.add(sample.source, sample.index, pixels, picture_hash)
        return pixels, picture_hash


def _stacked(vectors: list[np.ndarray], pictures: EmbeddedPictures) -> Tensor:
    """(B, E), of which there may be none."""
    return torch.from_numpy(np.stack(vectors) if vectors else np.empty((0, pictures.vectors.rows.shape[1]), np.float32))


def group_numbers(image: str, label: str | None, meaning: str) -> tuple[int, int, int]:
    """The numbers of what an image, its label and its text mean, from names that are equal where the meaning is."""
    return _group(image), -1 if label is None else _group(meaning_of_label(label)), _group(meaning)


def load_batches(
    maker: BatchMaker, *, start: int, stop: int, workers: int, pin_memory: bool = False
) -> Iterator[Batch]:
    """The batches of steps `start` to `stop` − 1 in order, made ahead by `workers` processes (0: by this one).

    Where a process is killed, others go on from the step that is due: a batch depends on its step alone. Raises
    LexelError where they are killed again and again.
    """
    deaths = 0  # since the last batch came
    while start < stop:
        try:
            for batch in _made_ahead(maker, start, stop, workers, pin_memory):
                yield batch
                start, deaths = start + 1, 0
        except RuntimeError as error:
            if _DEAD_WORKER not in str(error):
                raise
            deaths += 1
            if deaths == MAX_DEATHS:
                raise LexelError(
                    f"Processes that make batches were killed {deaths} times without a batch; usually memory ran out.\n"
                    "  Fewer need less of it: --set data.workers=1, or 0 for none."
                ) from None
            say(f"A process that makes batches was killed (memory?). Others go on from step {start + 1:,}.")


def _made_ahead(maker: BatchMaker, start: int, stop: int, workers: int, pin_memory: bool) -> Iterator[Batch]:
    """The batches from new processes. Raises RuntimeError, in the call for a batch, where one of them has died."""
    handler = signal.getsignal(signal.SIGCHLD)
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
        before = set(multiprocessing.active_children())
        batches = iter(loader)
        processes = set(multiprocessing.active_children()) - before
    if threading.current_thread() is threading.main_thread():
        # torch would raise the death of a process wherever the main thread happens to be, in the middle of a step.
        signal.signal(signal.SIGCHLD, handler if handler is not None else signal.SIG_DFL)
    try:
        yield from batches
    except RuntimeError:
        for process in processes:  # they wait for an end that a broken queue may never bring them
            process.kill()
        raise


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
