"""Weight files are recognised by content; what is none is named in one line and never run."""

import contextlib
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hostile import Runs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from lexel.checkpoints.formats.arrays import BFLOAT16, narrow, number_format, widen, write_safetensors
from lexel.checkpoints.formats.weight_files import read_sharded, read_weight_file
from lexel.errors import LexelError, ModelError, UsageError

pytestmark = pytest.mark.filterwarnings("ignore:Detected pickle protocol")

TENSORS = {
    "single": torch.tensor(2.5),
    "half": torch.arange(6).reshape(2, 3).half(),
    "brief": torch.randn(5, 2).to(torch.bfloat16),
    "count": torch.tensor(3),
    "plain": torch.randn(4, 4).T,
}


def saved(path: Path, kind: str) -> Path:
    """TENSORS in a file whose name tells nothing."""
    match kind:
        case "safetensors":
            save_file({name: tensor.contiguous() for name, tensor in TENSORS.items()}, path)
        case "zip":
            torch.save(TENSORS, path)
        case "old":
            torch.save(TENSORS, path, _use_new_zipfile_serialization=False)
        case "training":
            torch.save({"epoch": 3, "state_dict": TENSORS, "optimizer": {"lr": 0.1}}, path)
    return path


@pytest.mark.parametrize("kind", ["safetensors", "zip", "old", "training"])
def test_every_kind_gives_the_same_arrays_whatever_its_name(tmp_path, kind):
    arrays = read_weight_file(saved(tmp_path / "weights.txt", kind)).arrays
    assert arrays.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert np.array_equal(widen(arrays[name]), tensor.float() if name == "brief" else tensor)
    assert {name: number_format(array) for name, array in arrays.items()} == {
        "single": "float32", "half": "float16", "brief": "bfloat16", "count": "int64", "plain": "float32",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 605143316\n", "is a pointer of git-lfs"),
        (b"\n<!DOCTYPE html><html><body>Not found</body></html>", "is a web page"),
        (b"just some words\n", "is a text file, not weights"),
        (b"\x00\x01\x02\x03 nothing that is known", "is of no known weight format"),
        (b"PK\x03\x04 but nothing more", "is damaged or was not downloaded whole"),
        (b"\x80\x02}q\x00", "is damaged"),
        ((80).to_bytes(8, "little") + b'{"a": {"dtype": "F32"', "is damaged or was not downloaded whole"),
    ],
)
def test_what_is_no_weight_file_is_told_as_what_it_is(tmp_path, content, told):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=told) as failure:
        read_weight_file(path)
    assert str(failure.value).startswith(str(path))
    assert "\n" not in str(failure.value)


def test_a_missing_file_and_a_folder_are_a_users_mistake(tmp_path):
    for path in (tmp_path / "none.pt", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            read_weight_file(path)


@pytest.mark.parametrize("kind", ["safetensors", "zip", "old"])
def test_a_file_cut_short_is_told_as_damaged(tmp_path, kind):
    path = saved(tmp_path / "weights", kind)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ModelError, match="is damaged"):
        read_weight_file(path)


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_pickle_that_runs_code_is_refused_and_nothing_runs(tmp_path, is_zip):
    trace, path = tmp_path / "trace", tmp_path / "weights.bin"
    torch.save({"visual.proj": Runs(os.mkdir, str(trace))}, path, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(ModelError, match="It may be hostile: nothing of it was run"):
        read_weight_file(path)
    assert not trace.exists()
    with pytest.raises(ModelError, match=r"asks for (posix|nt)\.mkdir"):
        read_weight_file(path)
    path.write_bytes(pickle.dumps(Runs(os.mkdir, str(trace))))  # and without PyTorch's frame
    with pytest.raises(ModelError):
        read_weight_file(path)
    assert not trace.exists()


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, torch.zeros(3)])
def test_a_pickle_without_named_tensors_is_no_weight_file(tmp_path, content):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(ModelError, match=r"holds no weights|not a dictionary of weights"):
        read_weight_file(tmp_path / "other.pt")


def test_shards_are_put_together_and_a_missing_one_is_named(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "model-1-of-2.safetensors")
    save_file({"b": torch.ones(1)}, tmp_path / "model-2-of-2.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}))
    assert read_sharded(index).arrays.keys() == {"a", "b"}
    (tmp_path / "model-2-of-2.safetensors").unlink()
    with pytest.raises(ModelError, match=r"is incomplete: model-2-of-2\.safetensors is missing"):
        read_sharded(index)
    for bad in ("{}", "no json", '{"weight_map": 3}', "[]", '{"weight_map": {}}'):
        index.write_text(bad)
        with pytest.raises(ModelError, match="Download it again"):
            read_sharded(index)


def test_a_pipe_in_the_place_of_a_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "weights.pt")
    with pytest.raises(UsageError, match="is no regular file"):
        read_weight_file(tmp_path / "weights.pt")


def test_a_dictionary_that_holds_itself_ends(tmp_path):
    content: dict[str, object] = {"a": torch.zeros(1)}
    content["b"] = [content] * 3
    content["c"] = {"d": content, "e": torch.ones(1)}
    torch.save(content, tmp_path / "weights.pt")
    assert read_weight_file(tmp_path / "weights.pt").arrays.keys() == {"a", "c.e"}


@given(bits=st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=20))
def test_bfloat16_is_the_same_after_widening_and_narrowing(bits):
    brief = np.array(bits, np.uint16).view(BFLOAT16)
    assert np.array_equal(narrow(widen(brief))["bfloat16"], brief["bfloat16"])


@given(numbers=st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=20))
def test_narrowing_rounds_as_pytorch_does(numbers):
    array = np.array(numbers, np.float32)
    assert np.array_equal(widen(narrow(array)), torch.from_numpy(array).to(torch.bfloat16).float())


def test_what_is_written_is_read_by_safetensors_itself(tmp_path):
    from safetensors.torch import load_file

    path = tmp_path / "out.safetensors"
    write_safetensors(path, read_weight_file(saved(tmp_path / "in", "zip")).arrays)
    found = load_file(path)
    assert all(torch.equal(found[name], tensor) for name, tensor in TENSORS.items())
    assert found["brief"].dtype == torch.bfloat16


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), kind=st.sampled_from(["safetensors", "zip", "old"]))
def test_whatever_bytes_are_damaged_nothing_but_our_errors_comes_out(tmp_path, data, kind):
    path = tmp_path / kind
    content = bytearray((path if path.is_file() else saved(path, kind)).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, min(len(content), 900) - 1))] = data.draw(st.integers(0, 255))
    damaged = tmp_path / "damaged"
    damaged.unlink(missing_ok=True)
    damaged.write_bytes(content)
    with contextlib.suppress(LexelError):
        read_weight_file(damaged)
