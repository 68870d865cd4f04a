"""TorchScript archives: every tensor as PyTorch reads it, and nothing of them ever run."""

import contextlib
import os
import pickle
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hostile import Runs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from lexel.checkpoints.formats.arrays import widen
from lexel.checkpoints.formats.torch_files import read_archive
from lexel.errors import LexelError, ModelError


class Nested(nn.Module):
    """Tensors of several formats, a view, a shared storage, and attributes that are no tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.small = nn.Linear(3, 2).half()
        self.deep = nn.Sequential(nn.Linear(3, 2), nn.Sequential(nn.Conv2d(1, 2, 3)))
        self.transposed = nn.Parameter(torch.arange(6.0).reshape(2, 3).T)
        self.register_buffer("count", torch.tensor(7))
        self.register_buffer("brief", torch.arange(4).to(torch.bfloat16))
        self.register_buffer("empty", torch.zeros(0, 4))
        self.words, self.numbers = "text", [1, 2, 3]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.deep[0](x) + self.numbers[0]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, torch.Tensor]]:
    module = Nested()
    path = tmp_path_factory.mktemp("archive") / "model.pt"
    with warnings.catch_warnings(action="ignore"):  # scripting is deprecated; the files are not
        torch.jit.script(module).save(str(path))
    return path, module.state_dict()


def repacked(path: Path, data: bytes, target: Path) -> Path:
    """The archive with another pickle in it."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, data if name.endswith("/data.pkl") else old.read(name))
    return target


def test_all_tensors_are_read_as_they_were_saved(archive):
    path, expected = archive
    tensors, program = read_archive(path)
    assert tensors.keys() == expected.keys()
    for name, tensor in expected.items():
        assert np.array_equal(widen(tensors[name]), tensor.to(torch.float32) if name == "brief" else tensor), name
    assert "def forward" in program


@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
def test_a_pickle_that_runs_code_is_refused_and_nothing_runs(archive, tmp_path, protocol):
    trace = tmp_path / "trace"
    data = pickle.dumps(Runs(os.mkdir, str(trace)), protocol=protocol)
    assert pickle.loads(data) is None  # it would run
    trace.rmdir()
    with pytest.raises(ModelError, match=r"asks for (posix|nt)\.mkdir, which no weights need.*nothing of it was run"):
        read_archive(repacked(archive[0], data, tmp_path / "bad.pt"))
    assert not trace.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"(S'echo'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'echo'\no.",  # OBJ
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"\x80\x02c__torch__\nA\n)\x81}(X\x01\x00\x00\x00acbuiltins\neval\nX\x01\x00\x00\x001\x85Rsb.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}b.",  # changes a function
    ],
)
def test_every_other_way_to_run_or_change_something_is_refused(archive, tmp_path, data):
    with pytest.raises(ModelError):
        read_archive(repacked(archive[0], data, tmp_path / "bad.pt"))


def test_a_tensor_may_not_reach_beyond_its_storage(archive, tmp_path):
    data = zipfile.ZipFile(archive[0]).read("model/data.pkl")
    wanted = b"(K\x03K\x02"  # a size; the transposed parameter's
    if wanted not in data:
        pytest.skip("PyTorch writes sizes in another way")
    with pytest.raises(ModelError, match="beyond its storage"):
        read_archive(repacked(archive[0], data.replace(wanted, b"(K\xffK\xff"), tmp_path / "bad.pt"))


def test_an_archive_that_ends_early_is_told_as_damaged(archive, tmp_path):
    content = archive[0].read_bytes()
    (tmp_path / "short.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match=r"short\.pt is damaged.*Download it again"):
        read_archive(tmp_path / "short.pt")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_bytes_are_damaged_nothing_but_our_errors_comes_out(archive, tmp_path, data):
    pickled = bytearray(zipfile.ZipFile(archive[0]).read("model/data.pkl"))
    for _ in range(data.draw(st.integers(1, 4))):
        pickled[data.draw(st.integers(0, len(pickled) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(LexelError):
        read_archive(repacked(archive[0], bytes(pickled), tmp_path / "damaged.pt"))
