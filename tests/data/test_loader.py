import multiprocessing
import os
import pickle
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lexel.data import loader
from lexel.data.augment import Augmentation
from lexel.data.captions import draw_caption
from lexel.data.loader import Batch, BatchMaker, TrainingSource, load_batches
from lexel.data.order import Order, Share
from lexel.data.pairs import ImageFile, Pair
from lexel.data.readers import read_source
from lexel.errors import LexelError
from lexel.images import Preprocessing
from lexel.tokenizer import Tokenizer

TEMPLATES = ("a {}", "a photo of a {}")


def make(pairs: list[Pair], batch_size: int = 8) -> BatchMaker:
    texts = [caption for pair in pairs for caption in pair.captions] or ["a"]
    return BatchMaker(
        sources=[TrainingSource(pairs, 1.0, TEMPLATES)],
        order=Order([len(pairs)], [1.0], seed=0),
        batch_size=batch_size,
        tokenizer=Tokenizer.train(texts, 350, 24),
        preprocessing=Preprocessing(image_size=32),
        augmentation=Augmentation(),
    )


@pytest.fixture(scope="module")
def maker() -> BatchMaker:
    return make(list(read_source("scenes:40/train").pairs))


def same(first: Batch, second: Batch) -> bool:
    tensors = ("pixels", "ids", "image_group", "label_group", "text_group")
    return first.keys == second.keys and all(torch.equal(getattr(first, t), getattr(second, t)) for t in tensors)


def test_batches_are_the_same_for_any_number_of_workers(maker):
    alone = list(load_batches(maker, start=0, stop=9, workers=0))
    for workers in (1, 4):
        together = list(load_batches(maker, start=0, stop=9, workers=workers))
        assert all(same(a, b) for a, b in zip(alone, together, strict=True))


@pytest.mark.parametrize("most", [-1, 100, 1 << 20])
def test_a_batch_is_the_same_after_it_was_sent_to_another_process(maker, monkeypatch, most):
    monkeypatch.setattr(loader, "MAX_BYTES_SENT", most)
    batch = replace(maker[0], image_vectors=torch.rand(8, 3))
    received = pickle.loads(pickle.dumps(batch))
    for name in batch.__slots__:
        sent, came = getattr(batch, name), getattr(received, name)
        assert type(sent) is type(came)
        assert (sent == came).all() if isinstance(sent, torch.Tensor | np.ndarray) else sent == came


def test_starting_in_the_middle_gives_the_batches_that_would_have_come(maker):
    whole = list(load_batches(maker, start=0, stop=9, workers=0))
    rest = list(load_batches(maker, start=6, stop=9, workers=0))
    assert all(same(a, b) for a, b in zip(whole[6:], rest, strict=True))


def test_a_pair_looks_and_reads_differently_in_another_epoch(maker):
    views: dict[str, list[np.ndarray]] = {}
    for batch in load_batches(maker, start=0, stop=10, workers=0):  # two epochs of 40
        for key, pixels in zip(batch.keys, batch.pixels.numpy(), strict=True):
            views.setdefault(key, []).append(pixels)
    assert all(len(pair) == 2 and not (pair[0] == pair[1]).all() for pair in views.values())


def test_ids_are_trimmed_to_the_longest_caption_of_the_batch(maker):
    for batch in load_batches(maker, start=0, stop=3, workers=0):
        assert batch.pixels.dtype == torch.uint8
        assert (batch.ids == maker.tokenizer.end_of_text).sum(dim=1).eq(1).all()
        assert (batch.ids[:, -1] == maker.tokenizer.end_of_text).any()


def test_unreadable_pictures_are_left_out_and_named(tmp_path: Path):
    good = list(read_source("scenes:6/train").pairs)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    pairs = [
        *good,
        Pair("broken.jpg", ImageFile(broken), ("a hole",)),
        Pair("gone.jpg", ImageFile(tmp_path / "gone.jpg"), ("a hole",)),
    ]
    batch = make(pairs)[0]
    assert sorted(batch.keys) == sorted(pair.key for pair in good)
    assert sorted(key for key, _ in batch.bad) == ["broken.jpg", "gone.jpg"]
    assert len(batch.pixels) == len(batch.ids) == len(batch.image_group) == len(batch.text_group) == 6


def test_a_batch_without_a_readable_picture_is_empty_and_says_why(tmp_path: Path):
    batch = make([Pair("gone.jpg", ImageFile(tmp_path / "gone.jpg"), ("a hole",))], batch_size=2)[0]
    assert batch.keys == ()
    assert batch.pixels.shape == (0, 3, 32, 32)
    assert len(batch.bad) == 2


def test_equal_captions_and_equal_labels_belong_together():
    random = np.random.default_rng(0)
    picture = ImageFile(Path("x.jpg"))
    _, first = draw_caption(Pair("1", picture, ("A red  Circle",)), TEMPLATES, 0.0, random)
    _, second = draw_caption(Pair("2", picture, ("a red circle",)), TEMPLATES, 0.0, random)
    assert first == second
    meanings = {draw_caption(Pair("3", picture, label="cat"), TEMPLATES, 0.0, random)[1] for _ in range(20)}
    assert len(meanings) == 1


def test_each_caption_and_each_template_is_drawn_about_as_often():
    random = np.random.default_rng(0)
    picture = ImageFile(Path("x.jpg"))
    captions = Counter(
        draw_caption(Pair("1", picture, ("one", "two", "three")), TEMPLATES, 0.0, random)[0] for _ in range(600)
    )
    labels = Counter(draw_caption(Pair("1", picture, label="cat"), TEMPLATES, 0.0, random)[0] for _ in range(600))
    assert set(captions) == {"one", "two", "three"}
    assert set(labels) == {"a cat", "a photo of a cat"}
    assert min(*captions.values(), *labels.values()) > 150


def test_a_pair_with_both_shows_its_label_as_often_as_it_is_told_to():
    random = np.random.default_rng(0)
    pair = Pair("1", ImageFile(Path("x.jpg")), ("a cat on a mat",), label="cat")
    for share, low, high in ((0.0, 0, 0), (0.3, 120, 240), (1.0, 600, 600)):
        drawn = [draw_caption(pair, TEMPLATES, share, random)[1] for _ in range(600)]
        assert low <= drawn.count("label cat") <= high


def test_a_caption_that_only_says_the_label_means_the_label():
    pair = Pair("1", ImageFile(Path("x.jpg")), ("A photo of  a Cat",), label="cat")
    _, caption_means = draw_caption(pair, TEMPLATES, 0.0, np.random.default_rng(0))
    _, label_means = draw_caption(pair, TEMPLATES, 1.0, np.random.default_rng(0))
    assert caption_means == label_means


def test_an_image_with_a_label_carries_its_number_whatever_text_is_shown(maker):
    batch = maker[0]
    labels = [pair.label for key in batch.keys for pair in maker.sources[0].pairs if pair.key == key]
    assert [number == -1 for number in batch.label_group.tolist()] == [label is None for label in labels]


def test_the_shares_of_a_batch_are_the_batch_that_one_process_makes(tmp_path: Path):
    pairs = list(read_source("scenes:7/train").pairs)
    pairs.insert(3, Pair("gone.jpg", ImageFile(tmp_path / "gone.jpg"), ("a hole",)))
    alone = make(pairs)[0]
    parts = [replace(make(pairs), share=Share(rank, 3))[0] for rank in range(3)]
    assert tuple(key for part in parts for key in part.keys) == alone.keys
    assert [bad for part in parts for bad in part.bad] == list(alone.bad)
    for name in ("pixels", "image_group", "label_group", "text_group", "places"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(alone, name))
    missing = set(range(8)) - set(alone.places.tolist())
    assert len(missing) == 1  # a place in the batch stays that place, whatever came before it


def test_a_share_may_be_empty(maker):
    batch = replace(maker, share=Share(1, 20))[0]
    assert batch.keys == ()
    assert len(batch.pixels) == len(batch.ids) == len(batch.places) == 0


def test_a_worker_that_is_killed_is_replaced_and_the_batches_stay_the_same(maker, capsys):
    expected = [batch.keys for batch in load_batches(maker, start=1, stop=40, workers=0)]
    batches = load_batches(maker, start=1, stop=40, workers=2)
    came = [next(batches).keys]
    os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
    came += [batch.keys for batch in batches]
    assert came == expected
    assert "was killed (memory?). Others go on from step" in capsys.readouterr().err


def test_workers_that_are_killed_again_and_again_end_the_run_with_a_reason(maker, monkeypatch):
    def die(*_: object) -> None:
        raise RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly")

    monkeypatch.setattr("lexel.data.loader._made_ahead", die)
    with pytest.raises(LexelError, match="killed 3 times"):
        next(load_batches(maker, start=0, stop=2, workers=1))
