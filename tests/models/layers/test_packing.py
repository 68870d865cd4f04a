from itertools import combinations, pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lexel.models.layers import packing
from lexel.models.layers.packing import Group, Packing, Stretch, cut_by_length, take


@given(st.lists(st.integers(1, 77), min_size=1, max_size=40))
def test_every_row_is_in_one_stretch_that_is_long_enough_for_it(lengths: list[int]) -> None:
    order, stretches = cut_by_length(torch.tensor(lengths))
    assert sorted(order.tolist()) == list(range(len(lengths)))
    assert [part.start for part in stretches] + [len(lengths)] == [0] + [part.stop for part in stretches]
    by_length = [lengths[row] for row in order.tolist()]
    assert all(part.length == max(by_length[part.start : part.stop]) for part in stretches)


@given(st.lists(st.integers(1, 77), min_size=1, max_size=70))
def test_few_shapes_cover_every_row_with_no_more_than_the_longest(lengths: list[int]) -> None:
    order, stretches = cut_by_length(torch.tensor(lengths), few_shapes=True)
    by_length = [lengths[row] for row in order.tolist()]
    assert [part.start for part in stretches] + [len(lengths)] == [0] + [part.stop for part in stretches]
    for part in stretches:
        assert max(by_length[part.start : part.stop]) <= part.length <= max(lengths)
        assert part.length % packing.LENGTH_MULTIPLE == 0 or part.length == max(lengths)
        assert part.start % -(-len(lengths) // packing.MAX_GROUPS) == 0


@given(st.lists(st.integers(1, 60), min_size=1, max_size=7), st.sampled_from([0, 1, 10, 64, 500]))
def test_no_other_cut_costs_less(lengths: list[int], overhead: int) -> None:
    rows = sorted(lengths)
    cuts = [[0, *inner, len(rows)] for count in range(len(rows)) for inner in combinations(range(1, len(rows)), count)]
    least = min(sum((b - a) * rows[b - 1] + overhead for a, b in pairwise(cut)) for cut in cuts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "OVERHEAD_CPU", overhead)
        stretches = cut_by_length(torch.tensor(lengths))[1]
    assert sum((part.stop - part.start) * part.length + overhead for part in stretches) == least


def test_rows_of_one_length_stay_together_in_their_order() -> None:
    order, stretches = cut_by_length(torch.full((5,), 9))
    assert order.tolist() == [0, 1, 2, 3, 4]
    assert stretches == [Stretch(0, 5, 9)]


def test_tokens_are_taken_from_the_rows_that_they_lie_in() -> None:
    tokens = torch.arange(7)[:, None]
    rows = Packing((Group(2, 2), Group(1, 3)))
    assert [part.shape[:2] for part in rows.split(tokens)] == [(2, 2), (1, 3)]
    assert rows.take(tokens, torch.tensor([1, 0, 2])).flatten().tolist() == [1, 2, 6]
    assert rows.take(tokens, -1).flatten().tolist() == [1, 3, 6]


def test_one_token_of_each_row_is_taken() -> None:
    tokens = torch.arange(6).view(2, 3, 1)
    assert take(tokens, torch.tensor([2, 0])).flatten().tolist() == [2, 3]
    assert take(tokens, -1).flatten().tolist() == [2, 5]
