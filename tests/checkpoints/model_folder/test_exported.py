import json

import pytest

from lexel.checkpoints.model_folder.exported import (
    TOWERS,
    Agreement,
    Exported,
    Graphs,
    open_towers,
    read_exported,
    write_exported,
)
from lexel.checkpoints.model_folder.pieces import sha256_of
from lexel.errors import ModelError, UsageError

AGREEMENT = Agreement(
    images=2,
    texts=2,
    real=False,
    image_cosine=1,
    image_cosine_least=1,
    text_cosine=1,
    text_cosine_least=1,
    largest_difference=0,
)


@pytest.fixture
def folder(tmp_path):
    """An exported folder whose graphs are not graphs: nothing here runs them."""
    (tmp_path / "onnx").mkdir()
    towers = {}
    for name in ("float32", "int8"):
        for tower in ("image", "text"):
            (tmp_path / f"onnx/{tower}.{name}.onnx").write_text(f"{tower} {name}")
        files = [f"image.{name}.onnx", f"text.{name}.onnx"]
        hashes = {file: sha256_of(tmp_path / "onnx" / file) for file in files}
        towers[name] = Graphs(image=files[0], text=files[1], sha256=hashes, agreement=AGREEMENT)
    made_from = {"weights.safetensors": "0" * 64, "tokenizer.json": "1" * 64}
    write_exported(tmp_path, Exported(made_from=made_from, logit_scale=20, logit_bias=-7, towers=towers))
    return tmp_path


def test_float32_is_taken_where_nothing_is_asked_for(folder):
    towers = open_towers(folder)
    assert towers.number_format == "float32"
    assert (towers.file("image").read_text(), towers.file("text").read_text()) == ("image float32", "text float32")
    assert (towers.logit_scale, towers.logit_bias) == (20, -7)


def test_int8_of_other_graphs_has_another_number_format(folder):
    before = open_towers(folder, "int8").number_format
    exported = read_exported(folder)
    assert before.startswith("int8-")
    (folder / "onnx/image.int8.onnx").write_text("calibrated with other pictures")
    changed = exported.towers["int8"].sha256 | {"image.int8.onnx": sha256_of(folder / "onnx/image.int8.onnx")}
    towers = exported.towers | {"int8": exported.towers["int8"].model_copy(update={"sha256": changed})}
    write_exported(folder, exported.model_copy(update={"towers": towers}))
    assert open_towers(folder, "int8").number_format != before


def test_a_number_format_that_was_not_exported_is_refused_with_those_that_were(folder):
    with pytest.raises(UsageError, match=r"exported without float16; it has: float32, int8\."):
        open_towers(folder, "float16")


def test_a_missing_graph_is_named(folder):
    (folder / "onnx/text.float32.onnx").unlink()
    with pytest.raises(ModelError, match=r"incomplete: onnx/text\.float32\.onnx is missing"):
        open_towers(folder)


def test_a_changed_graph_is_named(folder):
    (folder / "onnx/text.float32.onnx").write_text("other")
    towers = open_towers(folder)
    assert towers.file("image").read_text() == "image float32"
    with pytest.raises(ModelError, match=r"text\.float32\.onnx is not the file that this model was exported with"):
        towers.file("text")


def test_the_weights_beside_a_graph_are_checked_with_it(folder):
    weights = folder / "onnx/text.float32.onnx.data"
    weights.write_text("weights")
    exported = read_exported(folder)
    graphs = exported.towers["float32"]
    hashes = graphs.sha256 | {weights.name: sha256_of(weights)}
    changed = exported.towers | {"float32": graphs.model_copy(update={"sha256": hashes})}
    write_exported(folder, exported.model_copy(update={"towers": changed}))
    towers = open_towers(folder)
    assert towers.file("text").name == "text.float32.onnx"
    weights.write_text("other")
    assert towers.file("image").name == "image.float32.onnx"
    with pytest.raises(ModelError, match=r"text\.float32\.onnx\.data is not the file"):
        towers.file("text")


def test_only_the_graphs_that_are_run_are_looked_at(folder):
    (folder / "onnx/text.int8.onnx").unlink()
    assert open_towers(folder, "float32").number_format == "float32"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not readable JSON"),
        ("[]", "is not a JSON object"),
        ("{}", "is of format None"),
        ('{"format": 9}', "is of format 9; this Lexel reads format 1"),
        ('{"format": 1}', "does not describe exported towers: made_from: Field required"),
    ],
)
def test_a_damaged_description_is_refused(folder, content, message):
    (folder / TOWERS).write_text(content)
    with pytest.raises(ModelError, match=message):
        read_exported(folder)


def test_a_missing_description_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"onnx/towers\.json is missing"):
        read_exported(tmp_path)


def test_the_numbers_are_there_for_programs_to_read(folder):
    assert json.loads((folder / TOWERS).read_text())["towers"]["int8"]["agreement"]["image_cosine"] == 1
