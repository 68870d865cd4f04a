"""Tables of names: the two directions undo each other, and what does not fit is named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexel.checkpoints.formats.arrays import BFLOAT16
from lexel.checkpoints.formats.tensor_tables import TensorRow, repeated, table, to_ours, to_theirs, under
from lexel.errors import ModelError

FORMS = table(
    ("plain.*", "a.*"),
    ("projection", "b", "transposed"),
    ("positions", "c", "one ahead"),
    ("probe", "d", "two ahead"),
    ("patches", "e", "patches"),
    ("q + k + v", "qkv"),
    ("kv", "key + value"),
    ("scale", "scale"),
)


@st.composite
def ours(draw: st.DrawFn) -> dict[str, np.ndarray]:
    """Arrays of ours for FORMS, of any sizes, each number another one."""
    d, e, p = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(1, 3))
    shapes = {"a.weight": (d, e), "a.bias": (d,), "b": (e, d), "c": (e, d), "d": (d,), "e": (d, 3, p, p),
              "qkv": (3 * d, e), "key": (d, e), "value": (d, e), "scale": ()}  # fmt: skip
    dtype = draw(st.sampled_from([np.float32, np.float16]))
    return {
        name: np.arange(np.prod(shape, dtype=int), dtype=dtype).reshape(shape) + number
        for number, (name, shape) in enumerate(shapes.items())
    }


@given(arrays=ours())
def test_what_is_written_is_read_back_bit_for_bit(arrays):
    shapes = {name: array.shape for name, array in arrays.items()}
    theirs = to_theirs(FORMS, arrays)
    for row in FORMS:
        assert all(theirs[name].shape == row.wanted(shapes) for name in row.theirs)
    again = to_ours(FORMS, theirs, shapes, "weights.pt")
    assert again.keys() == arrays.keys()
    assert all(
        np.array_equal(again[name], array) and again[name].dtype == array.dtype for name, array in arrays.items()
    )


def test_the_forms_are_what_they_say():
    arrays = {"e": np.arange(12).reshape(1, 3, 2, 2), "b": np.arange(6).reshape(2, 3)}
    rows = table(("patches", "e", "patches"), ("projection", "b", "transposed"))
    theirs = to_theirs(rows, arrays)
    assert theirs["patches"].tolist() == [[0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]]  # cell by cell, its colours together
    assert theirs["projection"].tolist() == [[0, 3], [1, 4], [2, 5]]


def test_wildcards_prefixes_and_numbers_are_written_out():
    assert [row.theirs for row in table(("n.*", "m.*"))] == [("n.weight",), ("n.bias",)]
    assert [row.ours[0] for row in table(("bn.**", "norm.**"))] == [
        "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var", "norm.num_batches_tracked",
    ]  # fmt: skip
    assert under("x.", "y.", table(("a", "b"))) == [TensorRow(("x.a",), ("y.b",))]
    assert [row.theirs for row in repeated(2, "h.N.", "blocks.N.", table(("a + b", "c")))] == [
        ("h.0.a", "h.0.b"), ("h.1.a", "h.1.b"),
    ]  # fmt: skip


def test_bfloat16_comes_widened():
    brief = np.array([0x3FC0], np.uint16).view(BFLOAT16)
    found = to_ours(table(("a", "b")), {"a": brief}, {"b": (1,)}, "weights.pt")["b"]
    assert found.dtype == np.float32
    assert found.tolist() == [1.5]


def test_a_count_of_batches_may_be_missing_and_other_tensors_may_not():
    rows = table(("bn.num_batches_tracked", "n"), ("w", "w"))
    assert to_ours(rows, {"w": np.zeros(1)}, {"n": (), "w": (1,)}, "weights.pt")["n"] == 0
    with pytest.raises(ModelError, match=r"weights\.pt lacks the tensor w"):
        to_ours(rows, {}, {"n": (), "w": (1,)}, "weights.pt")


@pytest.mark.parametrize("shape", [(2, 3), (3, 2, 1), (1, 6), (6,), (0, 2)])
def test_only_leading_axes_of_length_one_may_differ(shape):
    assert to_ours(table(("a", "b")), {"a": np.zeros((1, 1, 3, 2))}, {"b": (3, 2)}, "weights.pt")["b"].shape == (3, 2)
    with pytest.raises(ModelError, match="does not fit the architecture: a is"):
        to_ours(table(("a", "b")), {"a": np.zeros(shape)}, {"b": (3, 2)}, "weights.pt")
