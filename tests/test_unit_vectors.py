import numpy as np
import pytest

from lexel.errors import ModelError
from lexel.unit_vectors import check_finite, unit


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rows_get_unit_length_and_keep_their_direction(dtype):
    rows = np.random.default_rng(0).standard_normal((5, 7)).astype(dtype)
    found = unit(rows)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=2e-3 if dtype == np.float16 else 1e-6)
    np.testing.assert_allclose(found * np.linalg.norm(rows, axis=1, keepdims=True), rows, rtol=2e-3)


def test_a_row_of_zeros_stays_one():
    assert not unit(np.zeros((2, 3), np.float32)).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 0.0])
def test_vectors_that_are_no_directions_are_refused_with_the_name_of_the_first(bad):
    vectors = np.eye(4, dtype=np.float32)
    check_finite(vectors, "abcd", "model")
    vectors[2, 2] = vectors[3, 3] = bad
    with pytest.raises(ModelError, match=r"model gives 2 of 4 vectors(.|\n)+first for c\."):
        check_finite(vectors, "abcd", "model")


def test_no_vectors_are_all_finite():
    check_finite(np.zeros((0, 4), np.float32), [], "model")
