"""What is written is read back as it was seen, however it lay in memory."""

import numpy as np
import pytest
from safetensors.numpy import load

from lexel.safetensors_bytes import safetensors_bytes

WHOLE = np.arange(24, dtype=np.float32).reshape(4, 6)


@pytest.mark.parametrize(
    "array",
    [WHOLE, WHOLE.T, WHOLE[::2], WHOLE[:, 1:3], WHOLE[::-1], np.asfortranarray(WHOLE),
     np.broadcast_to(WHOLE[0], (3, 6)), np.float32(2.5).reshape(()), WHOLE[:0]],
    ids=["plain", "transposed", "every other row", "columns", "reversed", "Fortran", "broadcast", "scalar", "empty"],
)  # fmt: skip
def test_an_array_of_any_layout_is_read_back_as_it_was_seen(array):
    found = load(safetensors_bytes({"array": array, "other": WHOLE}))
    assert found["array"].shape == array.shape
    np.testing.assert_array_equal(found["array"], array)
    np.testing.assert_array_equal(found["other"], WHOLE)


def test_what_is_laid_out_already_gives_the_bytes_of_safetensors_itself():
    from safetensors.numpy import save

    assert safetensors_bytes({"a": WHOLE}, {"kind": "x"}) == save({"a": WHOLE}, {"kind": "x"})
