import json
import shutil
from typing import Any

import numpy as np
import pytest
import torch
from tiny_towers import CAPTIONS, KINDS, bert, build, image, pixels, write_folder

from lexel.checkpoints.model_folder.exported import open_towers, read_exported
from lexel.checkpoints.model_folder.folder import WEIGHTS, open_model_folder
from lexel.checkpoints.onnx import export
from lexel.checkpoints.onnx.export import ExportReport, ExportSample, export_onnx
from lexel.errors import ModelError, UsageError
from lexel.models.clip import CLIP
from lexel.tokenizer import Tokenizer

CONFIG = KINDS["clip"].model_copy(update={"image": image(depth=1, activation="quick_gelu")})
SCENES = [f"{shape} {place}" for shape in ("a red circle", "two green stars") for place in ("left", "above", "on", "a")]


@pytest.fixture(scope="module")
def clip() -> CLIP:
    """Towers that know eight scenes: the image of each has the vector of its caption, far from the others'."""
    clip = build(CONFIG)
    tokenizer = Tokenizer.train(CAPTIONS, 300, clip.config.text.context_length)
    features: list[torch.Tensor] = []
    hook = clip.image.projection.register_forward_hook(lambda _module, inputs, _output: features.append(inputs[0]))
    with torch.no_grad():
        clip.image(torch.from_numpy(pixels(clip, len(SCENES))))
        texts = torch.nn.functional.normalize(clip.text(torch.from_numpy(tokenizer(SCENES))))
        clip.image.projection.weight.copy_(torch.linalg.lstsq(features[0], texts).solution.T)
    hook.remove()
    return clip


@pytest.fixture(scope="module")
def source(clip, tmp_path_factory):
    return open_model_folder(write_folder(tmp_path_factory.mktemp("model") / "model", clip))


def sample(clip: CLIP, count: int = 160, captioned: bool = True) -> ExportSample:
    """The eight scenes again and again. Ranks within a scene are ties, those between scenes beyond any rounding."""
    scenes = np.arange(count) % len(SCENES)
    captions = [SCENES[scene] for scene in scenes] if captioned else []
    return ExportSample(pixels(clip, len(SCENES))[scenes], captions)


@pytest.fixture(scope="module")
def report(clip, source, tmp_path_factory) -> ExportReport:
    """In all number formats."""
    out = tmp_path_factory.mktemp("exported") / "onnx"
    return export_onnx(clip, source, out, formats=("float32", "float16", "int8"), sample=sample(clip))


@pytest.fixture
def traced_before(report, clip, monkeypatch) -> None:
    """The float32 graphs of `clip` are those of `report`, since torch takes seconds to trace them again."""
    write = export.write_graph

    def copy_or_write(tower: torch.nn.Module, *rest: Any) -> None:
        if tower in (clip.image, clip.text):
            shutil.copy(report.folder / f"onnx/{'image' if tower is clip.image else 'text'}.float32.onnx", rest[-1])
        else:
            write(tower, *rest)

    monkeypatch.setattr(export, "write_graph", copy_or_write)


def test_float32_equals_torch_on_real_images_and_on_random_ones(report):
    agreement = report.written["float32"]
    assert agreement.largest_difference < 1e-5
    assert agreement.image_cosine_least == pytest.approx(1, abs=1e-6)
    assert agreement.text_cosine_least == pytest.approx(1, abs=1e-6)
    assert agreement.recall == agreement.recall_float32
    assert agreement.recall_float32 > 0.3  # of 107, chance is 0.05; within a scene of 13 or 14 all is chance


def test_int8_is_judged_on_images_that_it_was_not_calibrated_with(report):
    assert report.written["int8"].images == 160 - 160 // 3
    assert report.written["int8"].recall_of == "captions"
    assert 0.99 < report.written["int8"].image_cosine < 0.999999


def test_each_number_format_takes_less_space(report):
    megabytes = report.megabytes
    assert megabytes["float16"] < 0.75 * megabytes["float32"]
    assert megabytes["int8"] < 0.75 * megabytes["float32"]  # no less, since so small a tower is mostly graph


def test_int8_multiplies_in_8_bits_but_looks_words_up_without_expanding_the_vocabulary(report):
    import onnx

    graph = onnx.load(report.folder / "onnx/text.int8.onnx").graph
    made_by = {output: node.op_type for node in graph.node for output in node.output}
    sources = {
        kind: [made_by.get(node.input[0]) for node in graph.node if node.op_type == kind]
        for kind in ("Gather", "MatMul")
    }
    assert "DequantizeLinear" not in sources["Gather"]
    assert sources["MatMul"].count("DequantizeLinear") >= 8  # qkv, output, expand and contract of two blocks


def test_the_graphs_tell_nothing_of_the_machine_that_wrote_them(report):
    for graph in (report.folder / "onnx").glob("*.onnx"):
        assert b".py" not in graph.read_bytes()


def test_the_numbers_are_kept_in_the_folder_and_its_card(report):
    exported = read_exported(report.folder)
    assert {name: graphs.agreement for name, graphs in exported.towers.items()} == report.written
    card = (report.folder / "README.md").read_text()
    assert all(f"- {line}" in card for line in report.lines())


def test_the_folder_holds_no_weights_and_says_what_it_was_made_from(report, source):
    assert not (report.folder / WEIGHTS).exists()
    assert read_exported(report.folder).made_from == source.manifest.sha256
    manifest = json.loads((report.folder / "model.json").read_text())
    assert set(manifest["sha256"]) == {"tokenizer.json", "onnx/towers.json"}
    assert manifest["architecture"] == source.manifest.model_dump(mode="json")["architecture"]


def test_float32_has_the_fingerprint_of_the_original_and_int8_another(report, source):
    folder = open_model_folder(report.folder)
    assert folder.fingerprint("float32") == source.fingerprint("float32")
    assert folder.fingerprint(open_towers(report.folder, "int8").number_format) != source.fingerprint("float32")


def test_the_same_export_again_gives_the_same_number_formats(report, clip, source, tmp_path):
    again = export_onnx(clip, source, tmp_path / "again", formats=("int8",), sample=sample(clip))
    assert open_towers(again.folder, "int8").number_format == open_towers(report.folder, "int8").number_format
    assert list(read_exported(again.folder).towers) == ["int8"]


def test_a_damaged_folder_is_refused_when_it_is_opened(report, tmp_path):
    content = json.loads((report.folder / "onnx/towers.json").read_text())
    (tmp_path / "onnx").mkdir()
    for name in ("model.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((report.folder / name).read_bytes())
    (tmp_path / "onnx/towers.json").write_text(json.dumps(content | {"logit_scale": 99.0}))
    with pytest.raises(ModelError, match=r"towers\.json is not the file"):
        open_model_folder(tmp_path)


@pytest.mark.usefixtures("traced_before")
def test_int8_is_left_out_where_there_are_too_few_images_to_judge_it(clip, source, tmp_path):
    report = export_onnx(
        clip, source, tmp_path / "out", formats=("float32", "int8"), sample=sample(clip, 30, captioned=False)
    )
    assert report.left_out == {"int8": "it was judged on 20 real images; 100 are the least"}
    assert "int8: left out, because it was judged on 20 real images; 100 are the least" in report.lines()
    assert not list((report.folder / "onnx").glob("*int8*"))


def test_int8_without_images_is_refused_before_anything_is_done(clip, source, tmp_path):
    with pytest.raises(UsageError, match="only after a check on real images"):
        export_onnx(clip, source, tmp_path / "out", formats=("int8",))
    assert not (tmp_path / "out").exists()


def test_captions_must_be_as_many_as_images():
    with pytest.raises(UsageError, match="1 caption for 2 images"):
        ExportSample(np.zeros((2, 3, 4, 4), np.float32), ["one"])


@pytest.mark.usefixtures("traced_before")
def test_weights_that_changed_after_the_folder_was_read_do_not_pass_for_equal(clip, source, tmp_path, monkeypatch):
    """The check is of what ONNX Runtime gives for the file that was written, not of the module that wrote it."""
    other = build(CONFIG)
    other.image.projection.weight.data *= -1
    write = export.write_graph
    monkeypatch.setattr(
        export,
        "write_graph",
        lambda tower, *rest: write(other.image if tower is clip.image else tower, *rest),
    )
    with pytest.raises(ModelError, match="cannot be exported: as ONNX it differs from torch by up to"):
        export_onnx(clip, source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_bert_text_tower_is_exported_with_its_padding_masked(tmp_path):
    pytest.importorskip("transformers")
    clip = build(bert())
    source = open_model_folder(write_folder(tmp_path / "model", clip))
    assert export_onnx(clip, source, tmp_path / "onnx").written["float32"].largest_difference < 1e-5
