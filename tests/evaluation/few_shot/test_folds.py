import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lexel.evaluation.few_shot.folds import few_of_each, stratified_folds


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(2, 5))
def test_folds_hold_an_even_share_of_every_class(classes, folds):
    found = stratified_folds(np.array(classes), folds, seed=0)
    for label in set(classes):
        counts = np.bincount(found[np.array(classes) == label], minlength=folds)
        assert counts.max() - counts.min() <= 1
    counts = np.bincount(found, minlength=folds)
    assert counts.max() - counts.min() <= 1


def test_a_few_of_each_class_are_drawn():
    classes = np.array([0, 1, 0, 1, 0, 2])
    rows = few_of_each(np.arange(10, 16), classes, 2, seed=3)
    assert np.bincount(classes[rows - 10]).tolist() == [2, 2, 1]
    assert not np.array_equal(few_of_each(np.arange(60), np.zeros(60, int), 5, 0), np.arange(5))
