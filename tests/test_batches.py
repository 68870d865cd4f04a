import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexel.batches import Batching, ahead, spread

batchings = st.builds(
    Batching,
    lanes=st.integers(1, 16),
    images=st.integers(1, 64),
    overhead=st.integers(1, 300),
)


def cost(batching: Batching, lengths: list[int], batches: list[slice]) -> int:
    return sum((b.stop - b.start) * lengths[b.stop - 1] + batching.overhead for b in batches)


@given(batching=batchings, lengths=st.lists(st.integers(1, 77), max_size=200).map(sorted))
def test_every_text_is_in_exactly_one_batch(batching, lengths):
    batches = batching.cut_texts(lengths)
    assert sorted(index for batch in batches for index in range(batch.start, batch.stop)) == list(range(len(lengths)))
    assert all(batch.stop > batch.start for batch in batches)


@given(batching=batchings, lengths=st.lists(st.integers(1, 77), min_size=1, max_size=200).map(sorted))
def test_the_costliest_batch_comes_first_so_that_lanes_end_together(batching, lengths):
    costs = [cost(batching, lengths, [batch]) for batch in batching.cut_texts(lengths)]
    assert costs == sorted(costs, reverse=True)


@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=9).map(sorted), overhead=st.integers(10, 60))
def test_no_other_cut_of_the_texts_costs_less(lengths, overhead):
    batching = Batching(overhead=overhead)

    def cheapest(start: int) -> int:
        if start == len(lengths):
            return 0
        return min(
            cost(batching, lengths, [slice(start, end)]) + cheapest(end) for end in range(start + 1, len(lengths) + 1)
        )

    assert cost(batching, lengths, batching.cut_texts(lengths)) == cheapest(0)


def test_captions_of_natural_length_are_hardly_padded():
    lengths = sorted([9] * 100 + [14] * 200 + [22] * 60 + [40] * 4)
    batches = Batching(lanes=2).cut_texts(lengths)
    padded = sum((b.stop - b.start) * lengths[b.stop - 1] for b in batches)
    assert padded < 1.1 * sum(lengths)
    assert len(batches) >= 4  # at least two for each lane


def test_a_batch_of_texts_is_not_larger_than_gains_anything():
    batches = Batching(overhead=10).cut_texts([77] * 1000)
    assert max(b.stop - b.start for b in batches) * 77 <= 32 * 10 + 77


@given(batching=batchings, count=st.integers(1, 3000), image_size=st.sampled_from([32, 64, 224, 336, 512]))
def test_images_are_cut_into_nearly_equal_batches_and_as_many_for_each_lane(batching, count, image_size):
    sizes = batching.cut_images(count, image_size)
    assert sum(sizes) == count
    assert min(sizes) >= 1
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= 4 * batching.images
    if count >= 4 * batching.lanes and max(sizes) > 1:
        assert len(sizes) % batching.lanes == 0


@pytest.mark.parametrize(("image_size", "largest"), [(224, 16), (448, 4), (4480, 1), (64, 64)])
def test_larger_pictures_come_in_smaller_batches(image_size, largest):
    assert max(Batching(images=16).cut_images(1000, image_size)) in (largest, largest - 1)


def test_few_images_are_not_divided_among_the_lanes():
    assert Batching(lanes=2, images=16).cut_images(7, 224) == [7]
    assert Batching(lanes=2, images=16).cut_images(8, 224) == [4, 4]


@pytest.mark.parametrize("lanes", [1, 3])
def test_results_come_in_the_order_of_the_work(lanes):
    assert list(spread(lambda n: n * n, range(50), lanes)) == [n * n for n in range(50)]


def test_lanes_work_side_by_side():
    together = threading.Barrier(3, timeout=10)
    assert list(spread(lambda _: together.wait() >= 0, range(3), lanes=3)) == [True] * 3  # a lone one would time out


def test_an_error_in_a_lane_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        list(spread(lambda n: 1 // n, [1, 0, 1], lanes=2))


def test_no_more_is_begun_than_was_asked_for():
    begun = []
    with ThreadPoolExecutor(1) as pool:
        results = ahead(pool, begun.append, range(100), count=5)
        next(results).result()
        pool.submit(int).result()  # the pool has nothing left to do
        assert begun == [0, 1, 2, 3, 4]
        next(results).result()
        pool.submit(int).result()
        assert begun == [0, 1, 2, 3, 4, 5]
