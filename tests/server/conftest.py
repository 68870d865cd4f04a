"""A tiny model and a small library, served."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from live_server import live_server
from serving import make_library
from tiny_towers import KINDS, build, write_folder

from lexel.encoder import Encoder
from lexel.loading import load
from lexel.server.app import create_app
from lexel.server.service import Service


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    """A model folder."""
    return write_folder(tmp_path_factory.mktemp("served") / "tiny", build(KINDS["clip"]))


@pytest.fixture(scope="session")
def encoder(model) -> Encoder:
    return load(model)


@pytest.fixture(scope="session")
def library_folder(tmp_path_factory, model) -> Path:
    """A library that tests leave as it is."""
    return make_library(tmp_path_factory.mktemp("library"), model)


@pytest.fixture(scope="session")
def api(library_folder) -> Iterator[TestClient]:
    """The library's server, called in this process."""
    with TestClient(create_app(Service.open(library_folder))) as client:
        yield client


@pytest.fixture(scope="session")
def model_api(model) -> Iterator[TestClient]:
    """The server of the model alone."""
    with TestClient(create_app(Service.open(model))) as client:
        yield client


@pytest.fixture
def own_api(tmp_path, model) -> Iterator[TestClient]:
    """The server of a library that the test may change."""
    with TestClient(create_app(Service.open(make_library(tmp_path, model)))) as client:
        yield client


@pytest.fixture(scope="session")
def live(library_folder) -> Iterator[str]:
    """The address of a real server of the library."""
    with live_server(library_folder) as url:
        yield url
