import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexel.data.order import Order, Share

sizes = st.lists(st.integers(1, 30), min_size=1, max_size=3)


@given(sizes=sizes, seed=st.integers(0, 5), epoch=st.integers(0, 3))
def test_every_pair_comes_once_an_epoch(sizes, seed, epoch):
    order = Order(sizes, [1.0] * len(sizes), seed)
    first = epoch * order.epoch_size
    seen = Counter((s.source, s.index) for s in map(order.at, range(first, first + order.epoch_size)))
    assert seen == Counter((source, index) for source, size in enumerate(sizes) for index in range(size))


@given(batch_size=st.integers(1, 50), step=st.integers(0, 20))
def test_a_step_takes_its_own_place_in_the_row_whatever_was_asked_before(batch_size, step):
    order = Order([7, 5], [1.0, 2.0], 3)
    row = [Order([7, 5], [1.0, 2.0], 3).at(position) for position in range(step * batch_size, (step + 1) * batch_size)]
    order.batch(step + 5, batch_size)
    assert order.batch(step, batch_size) == row


@pytest.mark.parametrize(("weight", "expected"), [(2.0, {2: 10}), (0.5, {1: 5}), (2.5, {2: 5, 3: 5})])
def test_weights_say_how_often_a_pair_comes_in_an_epoch(weight, expected):
    order = Order([10], [weight], 0)
    times = Counter(sample.index for sample in map(order.at, range(order.epoch_size)))
    assert Counter(times.values()) == expected


def test_the_visits_of_a_pair_in_one_epoch_are_told_apart():
    order = Order([4], [3.0], 0)
    samples = [order.at(position) for position in range(order.epoch_size)]
    assert len({(sample.index, sample.visit) for sample in samples}) == 12


def test_epochs_and_seeds_have_orders_of_their_own():
    order = Order([50], [1.0], 0)
    first, second = ([order.at(e * 50 + i).index for i in range(50)] for e in (0, 1))
    other = [Order([50], [1.0], 1).at(i).index for i in range(50)]
    assert first != second
    assert first != other


def test_it_can_be_sent_to_a_worker():
    order = Order([9], [1.0], 0)
    assert pickle.loads(pickle.dumps(order)).batch(3, 4) == order.batch(3, 4)


@given(count=st.integers(0, 40), size=st.integers(1, 9))
def test_shares_make_up_the_whole_and_are_nearly_equal(count, size):
    shares = [Share(rank, size).of(count) for rank in range(size)]
    assert [place for share in shares for place in share] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_the_shares_of_a_batch_make_up_the_batch():
    order = Order([5, 3], [1.0, 2.0], seed=1)
    parts = [order.batch(2, 7, Share(rank, 3)) for rank in range(3)]
    assert [sample for part in parts for sample in part] == order.batch(2, 7)


@st.composite
def orders_with_shards(draw) -> Order:
    shards = draw(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=5), min_size=1, max_size=3))
    shards = [[*lengths, 1] for lengths in shards]
    ends = [np.cumsum(lengths) if draw(st.booleans()) or number == 0 else None for number, lengths in enumerate(shards)]
    weights = draw(st.lists(st.sampled_from([0.5, 1.0, 2.5]), min_size=len(shards), max_size=len(shards)))
    return Order([sum(s) for s in shards], weights, draw(st.integers(0, 3)), ends, window=draw(st.integers(1, 12)))


@given(order=orders_with_shards(), epoch=st.integers(0, 2))
def test_with_shards_too_every_pair_comes_as_often_as_its_weight_says(order, epoch):
    first = epoch * order.epoch_size
    times = Counter((s.source, s.index, s.visit) for s in map(order.at, range(first, first + order.epoch_size)))
    assert max(times.values()) == 1
    for source, (size, weight) in enumerate(zip(order.sizes, order.weights, strict=True)):
        of_source = Counter(index for at, index, _ in times if at == source)
        assert of_source.total() == max(1, round(size * weight))
        assert max(of_source.values()) - (min(of_source.values()) if len(of_source) == size else 0) <= 1


@given(order=orders_with_shards(), position=st.integers(0, 60))
def test_with_shards_too_a_position_is_found_without_those_before_it(order, position):
    row = [order.at(place) for place in range(position + 5)]
    fresh = Order(order.sizes, order.weights, order.seed, order.shard_ends, order._window_size)
    assert [fresh.at(place) for place in range(position, position + 5)] == row[position:]
    shown = fresh.shown_before(position)
    assert {(s.source, s.index) for s in row[:position]} == {
        (source, int(index)) for source, seen in enumerate(shown) for index in np.flatnonzero(seen)
    }


def test_a_window_holds_the_samples_of_few_shards():
    order = Order([1000], [1.0], 0, [np.arange(10, 1001, 10)], window=50)
    for window in range(0, 1000, 50):
        assert len({order.at(position).index // 10 for position in range(window, window + 50)}) == 5
    assert [order.at(p).index for p in range(50)] != sorted(order.at(p).index for p in range(50))
    epochs = [[order.at(epoch * 1000 + position).index for position in range(50)] for epoch in range(2)]
    assert set(epochs[0]) != set(epochs[1])
