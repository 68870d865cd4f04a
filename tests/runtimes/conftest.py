"""Small models of each kind, exported once."""

from pathlib import Path

import pytest
from tiny_towers import KINDS, build, shallow, write_folder

from lexel.checkpoints.model_folder.folder import open_model_folder
from lexel.checkpoints.onnx.export import export_onnx
from lexel.models.clip import CLIP


@pytest.fixture(scope="session", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def clip(kind: str) -> CLIP:
    return build(shallow(KINDS[kind]))


@pytest.fixture(scope="session")
def exported(clip: CLIP, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of this kind of model, exported in float32 and float16."""
    home = tmp_path_factory.mktemp("exported")
    source = open_model_folder(write_folder(home / "model", clip))
    export_onnx(clip, source, home / "onnx", formats=("float32", "float16"))
    return home / "onnx"
