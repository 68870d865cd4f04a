import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexel.data.audit.captions import caption_facts
from lexel.data.audit.scripts import NO_LETTERS, script_of
from lexel.data.audit.spread import ratio_histogram, share_histogram, spread, whole_histogram
from lexel.data.pairs import ImageFile, Pair


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("A dog runs", "Latin"),
        ("Ein Café, ﬀ", "Latin"),
        ("Собака бежит по beach", "Cyrillic"),
        ("一只狗在跑", "Han"),
        ("犬が走る", "Japanese"),
        ("개가 달린다", "Hangul"),
        ("كلب يجري", "Arabic"),
        ("एक कुत्ता", "Devanagari"),
        ("Ζεστό", "Greek"),
        ("123 … 👍", NO_LETTERS),
        ("", NO_LETTERS),
        ("\x00\ufffd", NO_LETTERS),
    ],
)
def test_the_script_of_most_letters_is_named(text, script):
    assert script_of(text) == script


@given(st.text(max_size=12))
def test_every_text_has_a_script(text):
    assert script_of(text)


def test_lengths_are_counted_over_all_captions():
    texts = [("one two three", "one"), (), ("犬が走る",)]
    found = caption_facts([Pair(str(i), ImageFile("x"), captions) for i, captions in enumerate(texts)])
    assert (found.with_captions, found.count, found.distinct) == (2, 3, 3)
    assert found.words == spread([3, 1, 1])
    assert found.characters == spread([13, 3, 4])
    assert found.scripts == {"Latin": 2, "Japanese": 1}


@given(st.lists(st.integers(0, 5000), max_size=60))
def test_a_histogram_of_whole_numbers_holds_each_once(values):
    found = whole_histogram(values)
    assert sum(found.counts) == len(values)
    assert len(found.bounds) == len(found.counts) + bool(values)
    for low, high, count in zip(found.bounds, found.bounds[1:], found.counts, strict=False):
        assert count == sum(low <= value < high for value in values)


@given(st.lists(st.floats(1e-6, 1e6), max_size=60))
def test_a_histogram_of_ratios_holds_each_once_and_is_even_around_1(values):
    found = ratio_histogram(values)
    assert sum(found.counts) == len(values)
    if 1.0 in values:
        at = int(np.searchsorted(found.bounds, 1.0)) - 1
        assert found.bounds[at] * found.bounds[at + 1] == pytest.approx(1)


def test_a_histogram_of_shares_goes_from_0_to_1():
    found = share_histogram([0, 0.5, 1, 1], bars=2)
    assert (found.bounds, found.counts) == ([0, 0.5, 1], [1, 3])
