"""Mixtures of sources, each with its share of the samples."""

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lexel.data.order import Order
from lexel.data.readers import read_source
from lexel.data.readers.mixture import MixturePart, mixture_parts, sample_counts
from lexel.data.readers.source import check_there
from lexel.errors import UnfitSettingError, UsageError
from lexel.training.inputs.input_reader import InputReader
from lexel.training.inputs.training_data import gather, source_parts
from lexel.training.recipe import Recipe


def test_names_with_commas_stars_and_splits_are_parts():
    assert mixture_parts("mix:0.5*a, b/train, 1.5*x-{0..3}.tar") == (
        MixturePart(0.25, "a, b/train"),
        MixturePart(0.75, "x-{0..3}.tar"),
    )
    assert mixture_parts("photos/") == ()


@pytest.mark.parametrize("text", ["mix:", "mix:a/,b/", "mix:0*a", "mix:0.5*a,b*", "mix:1*", "mix:-1*a"])
def test_what_is_no_mixture_is_refused(text):
    with pytest.raises(UsageError, match="is not a mixture. Write shares" if text != "mix:0.5*a,b*" else "There is no"):
        read_source(text)


def test_a_mixture_within_another_and_a_part_that_is_not_there_are_refused():
    with pytest.raises(UsageError, match="cannot contain another mixture"):
        read_source("mix:1*mix:1*a")
    with pytest.raises(UsageError, match="There is no nowhere"):
        check_there("mix:1*scenes:4,1*nowhere")


parts = st.lists(st.tuples(st.integers(1, 400), st.floats(0.05, 10)), min_size=1, max_size=5)


@settings(deadline=None)
@given(parts=parts)
def test_counts_are_the_shares_to_within_one_and_sum_to_the_number_of_pairs(parts):
    sizes = [size for size, _ in parts]
    shares = [share / math.fsum(share for _, share in parts) for _, share in parts]
    counts = sample_counts(sizes, shares)
    assert all(abs(count - share * sum(sizes)) <= 1 for count, share in zip(counts, shares, strict=True))
    assert 0 <= sum(counts) - sum(sizes) <= len(sizes)  # one of each at least


@settings(deadline=None)
@given(parts=parts, seed=st.integers(0, 9))
def test_an_epoch_holds_just_these_counts(parts, seed):
    sizes = [size for size, _ in parts]
    shares = [share / math.fsum(share for _, share in parts) for _, share in parts]
    counts = sample_counts(sizes, shares)
    order = Order(sizes, [count / size for count, size in zip(counts, sizes, strict=True)], seed)
    drawn = Counter(order.at(position).source for position in range(order.epoch_size))
    assert [drawn[source] for source in range(len(sizes))] == counts


def test_training_sees_the_shares_of_a_mixture_beside_another_source():
    sources = [{"source": "mix:3*scenes:30,1*scenes:90?seed=1", "weight": 2}, {"source": "scenes:10?seed=2"}]
    recipe = Recipe.model_validate(
        {"epochs": 1, "data": {"sources": sources}, "evaluation": {"source": "scenes:8/val"}}
    )
    found = gather(recipe, InputReader()).sources
    assert [part.source for part in source_parts(recipe)[0]] == ["scenes:30", "scenes:90?seed=1", "scenes:10?seed=2"]
    order = Order([len(source.pairs) for source in found], [source.weight for source in found], 0)
    drawn = Counter(order.at(position).source for position in range(order.epoch_size))
    assert drawn == {0: 180, 1: 60, 2: 10}


def test_all_pairs_of_a_mixture_are_read_and_their_shares_told():
    source = read_source("mix:0.75*scenes:6,0.25*scenes:2?seed=1")
    assert len({pair.key for pair in source.pairs}) == 8
    assert source.notes[:2] == (
        "0.75 of the samples from scenes:6: 6 pairs, 6 samples an epoch (1 passes)",
        "0.25 of the samples from scenes:2?seed=1: 2 pairs, 2 samples an epoch (1 passes)",
    )


def test_columns_are_for_the_parts_that_they_fit_and_refused_where_they_fit_none(tmp_path):
    for name in ("1.png", "more/2.png", "more/3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (2, 2)).save(tmp_path / name)
    (tmp_path / "t.csv").write_text("file,title,alt\n1.png,a title,an alt\n")
    mixture = f"mix:1*{tmp_path}/more,1*{tmp_path}/t.csv"
    source = read_source(mixture, caption="alt", text_required=False)
    assert [pair.captions for pair in source.pairs] == [(), (), ("an alt",)]
    assert any("data.caption fits nothing there" in note for note in source.notes)
    with pytest.raises(UnfitSettingError):
        read_source(f"mix:1*{tmp_path}/more,1*scenes:5", caption="alt")
