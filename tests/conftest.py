"""A tiny trained run that many tests look at, made once in each test process, and which tests share a process."""

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from tiny import tiny_recipe, without_curves

from lexel.training import finish
from lexel.training.run.curves import draw_curves
from lexel.training.trainer import Run, train

gc.disable()  # until all tests are collected
# torch's compiler would start processes to compile in, each of which imports torch.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def _runs_draw_no_curves() -> Iterator[None]:
    with without_curves():
        yield


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run, its curves drawn as any user's. Copy its folder before changing anything in it."""
    with patch.object(finish, "draw_curves", draw_curves):
        return train(tiny_recipe(), tmp_path_factory.mktemp("run") / "tiny")


@pytest.fixture(scope="session")
def tiny_model(tiny_run: Run) -> Path:
    """Its model folder."""
    return tiny_run.model


# Files that take longest, which begin first so that no process is left with one at the end.
LONG_FILES = (
    "test_training_together.py",
    "test_compilation.py",
    "test_exact_resume.py",
    "test_onnx_runtime.py",
    "test_openvino_runtime.py",
    "test_export.py",
    "test_trainer.py",
    "test_ray.py",
    "test_pixels.py",
    "test_tokens_huggingface.py",
    "test_cost.py",
    "test_frozen_together.py",
    "test_watching.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: number for number, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes after their argument: archives hold the time of their making, and every process must find the same
    tests."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_finish() -> None:
    """What the imports have made stays, so that the garbage collector need not look through it again and again."""
    gc.enable()
    if sys.version_info < (3, 13):  # whose 3.13.0 crashes in processes that are forked after it
        gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of a file together, and those of the runtimes, which share models whose export takes seconds."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "runtimes" if file.endswith(("test_onnx_runtime.py", "test_openvino_runtime.py")) else file

    config.option.loadscopereorder = False  # files with many tests are not those that take long
    return ByFile(config, log)
