"""The stream of training samples from shards: the same for any number of workers and processes, from any start."""

from itertools import chain
from pathlib import Path

import pytest
from tars import captioned, write_tar

from lexel.data.augment import Augmentation
from lexel.data.loader import Batch, BatchMaker, TrainingSource, load_batches, order_of
from lexel.data.order import Share
from lexel.data.readers import read_source
from lexel.images import Preprocessing
from lexel.tokenizer import Tokenizer

STEPS = 8  # of 8 samples: nearly two epochs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    for number in range(4):
        write_tar(folder / f"{number:04d}.tar", captioned(range(number * 100, number * 100 + 9)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEXEL_CACHE", str(folder / "cache"))
        read_source(str(folder))
    return folder


@pytest.fixture(autouse=True)
def _cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEXEL_CACHE", str(folder / "cache"))


def maker(folder: Path, share: Share) -> BatchMaker:
    sources = [TrainingSource(read_source(str(folder)).pairs, 1.0, ("a {}",))]
    return BatchMaker(
        sources=sources,
        order=order_of(sources, seed=3),
        batch_size=8,
        tokenizer=Tokenizer.train(["picture 1"], 300, 16),
        preprocessing=Preprocessing(image_size=16),
        augmentation=Augmentation(),
        share=share,
    )


def stream(folder: Path, *, workers: int = 0, ranks: int = 1, start: int = 0) -> list[tuple[str, bytes, bytes]]:
    """Key, pixels and tokens of every sample, in the order of the whole batch."""
    of_ranks = [
        list(load_batches(maker(folder, Share(rank, ranks)), start=start, stop=STEPS, workers=workers))
        for rank in range(ranks)
    ]
    return list(chain.from_iterable(map(samples, chain.from_iterable(zip(*of_ranks, strict=True)))))


def samples(batch: Batch) -> list[tuple[str, bytes, bytes]]:
    return [
        (key, pixels.numpy().tobytes(), ids[ids != 0].numpy().tobytes())
        for key, pixels, ids in zip(batch.keys, batch.pixels, batch.ids, strict=True)
    ]


@pytest.fixture(scope="module")
def alone(folder: Path) -> list[tuple[str, bytes, bytes]]:
    return stream(folder)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_it_is_the_same_for_any_number_of_workers(folder, alone, workers):
    assert stream(folder, workers=workers) == alone


@pytest.mark.parametrize("workers", [0, 2])
def test_it_is_the_same_for_two_processes(folder, alone, workers):
    assert stream(folder, workers=workers, ranks=2) == alone


@pytest.mark.parametrize("start", [1, 5, 7])
def test_a_start_in_the_middle_equals_the_tail(folder, alone, start):
    assert stream(folder, start=start) == alone[start * 8 :]


def test_an_epoch_shows_every_sample_once(folder, alone):
    keys = [key for key, _, _ in alone]
    assert len(set(keys[:36])) == 36
    assert keys[:28] != keys[36:]
