"""A tiny trained run that many tests look at, made once in each test process, and which tests share a process."""

from pathlib import Path
from typing import Any

import pytest
from tiny import tiny_recipe

from lexel.training.trainer import Run, train


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run. Copy its folder before changing anything in it."""
    return train(tiny_recipe(), tmp_path_factory.mktemp("run") / "tiny")


@pytest.fixture(scope="session")
def tiny_model(tiny_run: Run) -> Path:
    """Its model folder."""
    return tiny_run.model


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of a file together, and those of the runtimes, which share models whose export takes seconds."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "runtimes" if file.endswith(("test_onnx_runtime.py", "test_openvino_runtime.py")) else file

    return ByFile(config, log)
