import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import picture

from lexel.data import decoded_cache
from lexel.data.augment import Augmentation
from lexel.data.decoded_cache import DecodedCache
from lexel.data.loader import BatchMaker, TrainingSource, load_batches, order_of
from lexel.data.readers import read_source
from lexel.errors import UsageError
from lexel.images import Preprocessing
from lexel.tokenizer import Tokenizer

MB = 10**6
PLACES = [pytest.param(False, id="in memory"), pytest.param(True, id="in a folder")]


def make(folder: Path, capacity: int | None, on_disk: Path | None = None) -> BatchMaker:
    sources = [TrainingSource(read_source(str(folder)).pairs, 1.0, ("a {}",))]
    return BatchMaker(
        sources=sources,
        order=order_of(sources, seed=1),
        batch_size=5,
        tokenizer=Tokenizer.train(["a"], 300, 8),
        preprocessing=Preprocessing(image_size=16),
        augmentation=Augmentation(),
        decoded=None if capacity is None else DecodedCache(capacity, [len(sources[0].pairs)], on_disk),
    )


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(10):
        picture(number, 300, 200).save(folder / f"{number}.jpg")
        (folder / f"{number}.txt").write_text(f"picture {number}")
    return folder


def pixels(maker: BatchMaker, workers: int, start: int = 0) -> list[bytes]:
    return [
        batch.pixels.numpy().tobytes() + batch.picture_hashes.tobytes()
        for batch in load_batches(maker, start=start, stop=6, workers=workers)
    ]


@pytest.mark.parametrize("on_disk", PLACES)
@pytest.mark.parametrize("workers", [0, 2])
def test_later_epochs_have_the_same_bits_and_decode_nothing(photos, tmp_path, workers, on_disk):
    plain = pixels(make(photos, None), 0)
    cached = make(photos, 10 * MB, tmp_path if on_disk else None)
    assert pixels(cached, workers) == plain
    for file in photos.glob("*.jpg"):
        file.write_bytes(b"gone")
    if workers == 0:  # two workers may both have been at work on what the other needed
        assert pixels(cached, 0, start=2) == plain[2:]
    found = sum(cached.decoded.find(0, index) is not None for index in range(10))
    assert found == 10
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".decoded")]


@pytest.mark.parametrize("megabytes", [0.0, 0.01, 0.2])
def test_what_does_not_fit_is_decoded_each_time(photos, monkeypatch, megabytes):
    monkeypatch.setattr(decoded_cache, "STRETCH", 1000)
    maker = make(photos, int(megabytes * MB))
    assert pixels(maker, 0) == pixels(make(photos, None), 0)
    found = sum(maker.decoded.find(0, index) is not None for index in range(10))
    assert found == min(10, int(megabytes * MB / (38 * 25 * 3)))  # the pictures are decoded at an eighth of their size


def test_another_process_finds_what_one_has_decoded():
    cache = DecodedCache(MB, [2, 3])
    child = os.fork()
    if child == 0:
        cache.add(1, 2, np.asarray(picture(7)), 2**64 - 1)
        os._exit(0)
    os.waitpid(child, 0)
    cache.add(0, 0, np.asarray(picture(8)), 5)
    image, picture_hash = cache.find(1, 2)
    assert (np.asarray(image) == np.asarray(picture(7))).all()
    assert picture_hash == 2**64 - 1
    assert (np.asarray(cache.find(0, 0)[0]) == np.asarray(picture(8))).all()
    assert cache.find(0, 1) is None
    sent = pickle.loads(pickle.dumps(cache))
    assert (np.asarray(sent.find(1, 2)[0]) == np.asarray(picture(7))).all()


def test_processes_never_write_over_each_other(monkeypatch):
    monkeypatch.setattr(decoded_cache, "STRETCH", 3000)
    cache = DecodedCache(10 * MB, [200])
    context = torch.multiprocessing.get_context("fork")
    workers = [context.Process(target=_add, args=(cache, range(first, 200, 4))) for first in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for index in range(200):
        image, picture_hash = cache.find(0, index)
        assert picture_hash == index
        assert (np.asarray(image) == np.asarray(picture(index))).all()


def _add(cache: DecodedCache, indices: range) -> None:
    for index in indices:
        cache.add(0, index, np.asarray(picture(index)), index)


def test_more_than_there_is_room_for_is_refused(tmp_path):
    with pytest.raises(UsageError, match="GB of memory that are free"):
        DecodedCache(10**15, [1])
    with pytest.raises(UsageError, match="no folder"):
        DecodedCache(MB, [1], tmp_path / "none")
