"""A tiny trained run that many tests look at, made once."""

from pathlib import Path

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
