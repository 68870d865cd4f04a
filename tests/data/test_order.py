import pickle
from collections import Counter

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
