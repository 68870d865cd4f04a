"""Digests equal those of the files that they stand for."""

import hashlib
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.numpy import save

from lexel.identity import file_state, sha256_of, sha256_of_weights

DTYPES = st.sampled_from([np.float32, np.float16, np.float64, np.int64, np.int32, np.int8, np.uint8, np.bool_])
ARRAYS = DTYPES.flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
)


@given(weights=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), ARRAYS, max_size=6))
def test_the_digest_of_weights_is_that_of_the_file_that_safetensors_writes(weights):
    assert sha256_of_weights(weights) == hashlib.sha256(save(weights)).hexdigest()


def test_arrays_that_are_not_contiguous_are_hashed_as_they_are_written():
    weights = {"turned": np.arange(12, dtype=np.float32).reshape(3, 4).T, "scalar": np.float32(2.5).reshape(())}
    written = save({name: np.ascontiguousarray(array).reshape(array.shape) for name, array in weights.items()})
    assert sha256_of_weights(weights) == hashlib.sha256(written).hexdigest()


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path):
    (tmp_path / "file").write_bytes(b"lexel" * 100_000)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(b"lexel" * 100_000).hexdigest()


def test_the_state_of_a_file_changes_with_its_size_and_its_time(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    os.utime(path, ns=(1_000, 2_000))
    before = file_state(path)
    assert before == "3 2000"
    path.write_bytes(b"four")
    os.utime(path, ns=(1_000, 2_000))
    assert file_state(path) == "4 2000"
    os.utime(path, ns=(1_000, 2_001))
    assert file_state(path) == "4 2001"
    with pytest.raises(FileNotFoundError):
        file_state(tmp_path / "absent")
