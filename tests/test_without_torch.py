"""An exported model folder does everything on a machine that has only what `pip install lexel` brings."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from tiny_towers import KINDS, build, shallow, write_folder

import lexel
from lexel.checkpoints.model_folder.folder import open_model_folder
from lexel.checkpoints.onnx.export import export_onnx

# What the extras bring, so that whatever of the core leans on it fails here as it would on a bare machine.
EXTRAS = ["torch", "transformers", "timm", "onnx", "onnxscript", "openvino", "nncf", "scipy", "sklearn", "matplotlib"]

BARE = f"""
import sys
from importlib.abc import MetaPathFinder

class Bare(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {EXTRAS}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Bare())
"""

USE = """
import json
import lexel

model, *pictures = sys.argv[1:]
encoder = lexel.load(model)
classifier = lexel.ZeroShotClassifier(encoder, ["red", "two stars"], templates=["{}"])
print(json.dumps({
    "images": encoder.embed_images(pictures).tolist(),
    "texts": encoder.embed_texts(["a red circle", "a blue square on the left"]).tolist(),
    "probabilities": encoder.probabilities(pictures, ["red", "blue"]).tolist(),
    "labels": [[label for label, _ in ranked] for ranked in classifier.classify(pictures, top=2)],
    "captions": [caption for caption, *_ in lexel.rank_captions(encoder, pictures[0], ["red", "blue", "two stars"])],
    "fingerprint": encoder.fingerprint,
}))
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A model folder and the same exported."""
    home = tmp_path_factory.mktemp("models")
    clip = build(shallow(KINDS["clip"]))
    model = write_folder(home / "model", clip)
    export_onnx(clip, open_model_folder(model), home / "exported")
    return model, home / "exported"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    home = tmp_path_factory.mktemp("pictures")
    paths = [home / f"{colour}.png" for colour in ("red", "blue", "green")]
    for path in paths:
        Image.new("RGB", (40, 50), path.stem).save(path)
    return list(map(str, paths))


def bare(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BARE + program, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_torch_really_is_away():
    assert "No module named 'torch'" in bare("import torch").stderr


def test_an_exported_folder_embeds_classifies_and_ranks_as_the_original_does(folders, pictures):
    model, exported = folders
    finished = bare(USE, exported, *pictures)
    assert finished.returncode == 0, finished.stderr
    ours = json.loads(finished.stdout)
    encoder = lexel.load(model)
    np.testing.assert_allclose(ours["images"], encoder.embed_images(pictures), atol=1e-5)
    texts = encoder.embed_texts(["a red circle", "a blue square on the left"])
    np.testing.assert_allclose(ours["texts"], texts, atol=1e-5)
    np.testing.assert_allclose(ours["probabilities"], encoder.probabilities(pictures, ["red", "blue"]), atol=1e-4)
    classifier = lexel.ZeroShotClassifier(encoder, ["red", "two stars"], templates=["{}"])
    assert ours["labels"] == [[label for label, _ in ranked] for ranked in classifier.classify(pictures, top=2)]
    assert sorted(ours["captions"]) == ["blue", "red", "two stars"]
    assert ours["fingerprint"] == encoder.fingerprint


@pytest.mark.parametrize(
    "arguments", [("classify", "MODEL", "--labels", "red,blue"), ("rank", "MODEL")], ids=["classify", "rank"]
)
def test_the_command_line_works_too(folders, pictures, arguments):
    words = [str(folders[1]) if word == "MODEL" else word for word in arguments]
    captions = ["red", "blue"] if words[0] == "rank" else []
    program = "from lexel.cli.main import main; sys.argv[0] = 'lexel'; main()"
    finished = bare(program, *words, pictures[0], *captions)
    assert finished.returncode == 0, finished.stderr
    assert "red" in finished.stdout


def test_pictures_are_indexed_and_searched(folders, pictures, tmp_path):
    program = "from lexel.cli.main import main; sys.argv[0] = 'lexel'; main()"
    library = tmp_path / "photos.lexel"
    indexed = bare(program, "index", library, *pictures, "--model", folders[1])
    assert indexed.returncode == 0, indexed.stderr
    found = bare(program, "search", library, "red", "--json")
    assert found.returncode == 0, found.stderr
    assert sorted(hit["path"] for hit in json.loads(found.stdout)) == sorted(pictures)


def test_a_folder_with_weights_says_what_it_needs(folders, pictures):
    finished = bare(
        "from lexel.cli.main import main; sys.argv[0] = 'lexel'; main()", "rank", folders[0], pictures[0], "red", "blue"
    )
    assert finished.returncode != 0
    assert "Traceback" not in finished.stderr
    assert "torch" in finished.stderr
