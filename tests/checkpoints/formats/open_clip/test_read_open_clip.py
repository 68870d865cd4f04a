"""Weight files in OpenAI's and OpenCLIP's names: our towers give their embeddings, and nothing is guessed."""

import argparse
import collections
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign_models import towers
from hostile import Runs
from restated_clip import RestatedCLIP, captions, restated, write_archive
from safetensors.torch import save_file
from torch import Tensor, nn

from lexel.architectures.config import TextTransformerConfig, VisionTransformerConfig
from lexel.architectures.zoo import ARCHITECTURES
from lexel.checkpoints.formats.infer import infer_architecture, with_activation
from lexel.checkpoints.formats.open_clip.config_in import read_open_clip_config
from lexel.checkpoints.formats.open_clip.tensors import open_clip_rows
from lexel.checkpoints.formats.read import ForeignModel, read_foreign, shapes_of
from lexel.errors import ModelError, UsageError

KINDS = ["vit", "resnet"]
MARKS = {"input_resolution": torch.tensor(32), "context_length": torch.tensor(12), "vocab_size": torch.tensor(100)}
CONFIG = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8},
    "text_cfg": {"context_length": 12, "vocab_size": 100, "width": 64, "heads": 1, "layers": 2},
}


def check_embeddings(model: ForeignModel, theirs: RestatedCLIP) -> None:
    side = model.architecture.image.image_size
    pixels = torch.randn(3, 3, side, side, generator=torch.Generator().manual_seed(3))
    ours = towers(model)
    with torch.no_grad():
        for found, expected in (
            (ours.encode_image(pixels), theirs.encode_image(pixels)),
            (ours.encode_text(captions()), theirs.encode_text(captions())),
        ):
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def folder_with(path: Path, weights: dict[str, Any], config: dict[str, Any]) -> Path:
    path.mkdir()
    (path / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    torch.save(weights, path / "open_clip_pytorch_model.bin")
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_openais_archives_give_their_embeddings_without_a_word_from_the_user(kind, tmp_path):
    theirs = restated(kind)
    write_archive(theirs, str(tmp_path / "model.pt"))
    model = read_foreign(tmp_path / "model.pt")
    check_embeddings(model, theirs)
    assert model.format == "OpenAI (TorchScript)"
    assert isinstance(model.architecture.text, TextTransformerConfig)
    assert model.architecture.text.activation == "quick_gelu"


@pytest.mark.parametrize(("act", "expected"), [(nn.GELU, "gelu"), (None, "quick_gelu")])
def test_an_archives_program_tells_the_activation(tmp_path, act, expected):
    theirs = restated("vit", act) if act else restated("vit")
    write_archive(theirs, str(tmp_path / "model.pt"), marks=False)
    model = read_foreign(tmp_path / "model.pt")
    assert isinstance(model.architecture.image, VisionTransformerConfig)
    assert model.architecture.image.activation == expected
    check_embeddings(model, theirs)


@pytest.mark.parametrize("kind", KINDS)
def test_openais_plain_state_dicts_are_known_by_the_numbers_beside_the_weights(kind, tmp_path):
    theirs = restated(kind)
    torch.save(theirs.state_dict() | MARKS, tmp_path / "model.bin")
    check_embeddings(read_foreign(tmp_path / "model.bin"), theirs)


def test_an_activation_that_the_archive_contradicts_is_refused(tmp_path):
    write_archive(restated(), str(tmp_path / "model.pt"))
    with pytest.raises(UsageError, match="was trained with quick_gelu, not gelu"):
        read_foreign(tmp_path / "model.pt", activation="gelu")


def nested(weights: dict[str, Tensor], *prefixes: str) -> dict[str, Tensor]:
    return {"".join(prefixes) + name: x for name, x in weights.items()}


def wrapped(weights: dict[str, Tensor], how: str) -> Any:
    match how:
        case "module":
            return {"state_dict": nested(weights, "module."), "epoch": 1, "optimizer": {}}
        case "compiled":
            return {"state_dict": nested(weights, "module.", "_orig_mod.")}
        case "compiled towers":
            return {name.replace("visual.", "visual._orig_mod."): x for name, x in weights.items()}
        case "custom text":
            towers_ = ("visual.", "logit_")
            return {name if name.startswith(towers_) else f"text.{name}": x for name, x in weights.items()}
        case "lightning":
            return {"state_dict": nested(weights, "model."), "hyper_parameters": {"lr": 0.1}, "loops": {"epoch": 3}}
        case "within a larger model":
            scale = weights["logit_scale"]
            inside = {name: x for name, x in weights.items() if name != "logit_scale"}
            return {"net": nested(inside, "clip.") | {"head.weight": torch.zeros(3, 2), "logit_scale": scale}}
        case "beside its average":
            other = {name: torch.zeros_like(x) for name, x in weights.items()}
            return {"model": nested(weights, "student.") | nested(other, "teacher.")}
    return weights


@pytest.mark.parametrize(
    "how",
    ["plain", "module", "compiled", "compiled towers", "custom text", "lightning", "within a larger model",
     "beside its average"],
)  # fmt: skip
def test_every_wrapping_of_a_state_dict_is_read(how, tmp_path):
    theirs = restated("vit", nn.GELU)
    folder = folder_with(tmp_path / "model", wrapped(theirs.state_dict(), how), CONFIG)
    model = read_foreign(folder)
    check_embeddings(model, theirs)
    assert model.preprocessing.convention == "open_clip"
    assert model.preprocessing.image_size == 32


def test_a_bare_file_of_unknown_shapes_says_what_is_missing(tmp_path):
    torch.save(restated().state_dict(), tmp_path / "model.pt")
    with pytest.raises(
        UsageError, match=r"no architecture that Lexel knows by name.\n  Put its open_clip_config\.json"
    ):
        read_foreign(tmp_path / "model.pt")


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> str:
    """The restated model as an architecture with a name."""
    architecture, _ = read_open_clip_config(CONFIG)
    monkeypatch.setitem(ARCHITECTURES, "ViT-small", architecture)
    monkeypatch.setitem(ARCHITECTURES, "ViT-small-quickgelu", with_activation(architecture, "quick_gelu"))
    return "ViT-small"


def test_a_bare_file_of_known_shapes_is_not_read_before_its_activation_is_said(tmp_path, known):
    theirs = restated("vit", nn.GELU)
    path = tmp_path / "model.safetensors"
    save_file({name: x.clone() for name, x in theirs.state_dict().items()}, path)
    with pytest.raises(
        UsageError, match=r"does not say its activation.*\n.*gelu .* or quick_gelu .*\n.*--activation gelu"
    ):
        read_foreign(path)
    check_embeddings(read_foreign(path, activation="gelu"), theirs)
    check_embeddings(read_foreign(path, architecture=known), theirs)
    check_embeddings(read_foreign(path, architecture=f"{known}-quickgelu", activation="gelu"), theirs)
    quick = read_foreign(path, activation="quick_gelu")
    with pytest.raises(AssertionError):
        check_embeddings(quick, theirs)


def test_shapes_that_two_architectures_share_are_asked_for(tmp_path, known, monkeypatch):
    torch.save(restated().state_dict(), tmp_path / "model.pt")
    other = ARCHITECTURES[known].model_dump()
    other["image"]["heads"] = 2
    monkeypatch.setitem(ARCHITECTURES, "ViT-two-heads", type(ARCHITECTURES[known]).model_validate(other))
    with pytest.raises(UsageError, match="may be any of ViT-small, ViT-small-quickgelu, ViT-two-heads"):
        read_foreign(tmp_path / "model.pt", activation="gelu")


def fake_weights(name: str) -> dict[str, np.ndarray]:
    """All shapes of an architecture in OpenCLIP's names; no memory is taken."""
    config = ARCHITECTURES[name]
    shapes = shapes_of(config, name)
    one = np.zeros((), np.float32)
    rows = open_clip_rows(config, shapes, flat=True)
    return {n: np.broadcast_to(one, row.wanted(shapes)) for row in rows for n in row.theirs}


@pytest.mark.parametrize(
    "name",
    ["RN50", "RN50x64", "ViT-B-32-quickgelu", "ViT-H-14", "ViT-g-14", "ViT-bigG-14", "ViT-L-14-336", "coca_ViT-L-14",
     "ViT-H-14-worldwide", "ViT-B-16-plus-240"],
)  # fmt: skip
def test_an_architecture_is_told_by_its_shapes_up_to_the_activation(name):
    found = infer_architecture(fake_weights(name), "", "model.pt")
    assert with_activation(found, "gelu") == with_activation(ARCHITECTURES[name], "gelu")


def test_a_wrong_architecture_is_told_with_the_tensor_and_its_shapes(tmp_path):
    torch.save(restated().state_dict(), tmp_path / "model.pt")
    with pytest.raises(
        ModelError,
        match=r"model\.pt does not fit the architecture: visual\.conv1\.weight is 64 × 3 × 8 × 8, not 768 × 3 × 32",
    ):
        read_foreign(tmp_path / "model.pt", architecture="ViT-B-32")
    with pytest.raises(UsageError, match=r'There is no architecture "ViT-B32"\. Did you mean "ViT-B-32"'):
        read_foreign(tmp_path / "model.pt", architecture="ViT-B32")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda weights: weights.pop("ln_final.bias"), r"lacks the tensor ln_final\.bias"),
        (lambda weights: weights.update(extra=torch.zeros(2)), r"has no place for: extra\."),
        (lambda weights: weights.update(a=torch.zeros(2), b=torch.zeros(2)), r"has no place for: a and 1 more\."),
        (
            lambda weights: weights.update({"visual.proj": torch.zeros(64, 25)}),
            r"visual\.proj is 64 × 25, not 64 × 24",
        ),
        (lambda weights: weights.update(logit_scale=torch.zeros(3)), r"logit_scale is 3, not a single number"),
    ],
)
def test_a_tensor_that_is_missing_extra_or_misshapen_is_named_in_one_line(damage, told, tmp_path):
    weights = dict(restated().state_dict())
    damage(weights)
    folder = folder_with(tmp_path / "model", weights, CONFIG)
    with pytest.raises(ModelError, match=told) as failure:
        read_foreign(folder)
    assert "\n" not in str(failure.value)
    assert str(failure.value).startswith(str(folder / "open_clip_pytorch_model.bin"))


def test_what_is_no_weight_is_left_out_and_what_is_shaped_by_habit_is_taken(tmp_path):
    weights = restated("vit", nn.GELU).state_dict()
    extra = {
        "attn_mask": torch.zeros(12, 12),
        "text.position_ids": torch.arange(12),
        "context_length": torch.tensor(12),
    }
    folder = folder_with(tmp_path / "model", weights | extra | {"logit_scale": weights["logit_scale"][None]}, CONFIG)
    model = read_foreign(folder)
    assert model.weights["logit_scale"].shape == ()
    assert model.weights.keys() == shapes_of(model.architecture, "model").keys()


def test_a_learned_bias_in_the_file_is_kept_whatever_the_configuration_says(tmp_path):
    weights = restated().state_dict() | {"logit_bias": torch.tensor([-7.0])}
    model = read_foreign(folder_with(tmp_path / "model", weights, CONFIG))
    assert model.architecture.logit_bias
    assert model.weights["logit_bias"] == -7


def test_the_captioner_of_coca_is_left_out_and_that_is_said(tmp_path):
    weights = restated("vit", nn.GELU).state_dict() | {"text_decoder.ln_final.bias": torch.zeros(3)}
    model = read_foreign(folder_with(tmp_path / "model", weights, CONFIG))
    assert "captioner is left out" in model.notes[0]


def test_number_formats_stay_as_they_are_stored(tmp_path):
    weights = {name: x.half() if "ln_" not in name else x for name, x in restated().state_dict().items()}
    weights["text_projection"] = weights["text_projection"].to(torch.bfloat16)
    model = read_foreign(folder_with(tmp_path / "model", weights, CONFIG))
    assert model.weights["image.stem.weight"].dtype == np.float16
    assert model.weights["text.final_norm.bias"].dtype == np.float32
    assert model.weights["text.projection.weight"].dtype == np.float32
    assert model.dtypes["text.projection.weight"] == "bfloat16"
    assert model.dtypes["image.stem.weight"] == "float16"


def test_a_folder_without_a_model_says_what_it_has(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"holds no model that Lexel knows. It has: notes\.txt\."):
        read_foreign(tmp_path)
    with pytest.raises(UsageError, match="does not exist"):
        read_foreign(tmp_path / "none")


def test_tensors_of_something_else_are_told(tmp_path):
    torch.save({"layer.weight": torch.zeros(2)}, tmp_path / "model.pt")
    with pytest.raises(ModelError, match=r"of no model with two towers: layer\.weight"):
        read_foreign(tmp_path / "model.pt")


def test_lexels_own_folder_is_read_too(tiny_model):
    model = read_foreign(tiny_model)
    assert model.format == "Lexel model folder"
    assert model.tokenizer is not None
    with pytest.raises(UsageError, match="is part of a Lexel model folder"):
        read_foreign(tiny_model / "weights.safetensors")


def test_what_lies_beside_the_towers_is_said(tmp_path):
    weights = wrapped(restated("vit", nn.GELU).state_dict(), "within a larger model")
    notes = read_foreign(folder_with(tmp_path / "one", weights, CONFIG)).notes
    assert notes == ('Beside the model "net.clip." 1 tensors are left out, such as net.head.weight.',)
    weights = wrapped(restated("vit", nn.GELU).state_dict(), "beside its average")
    notes = read_foreign(folder_with(tmp_path / "two", weights, CONFIG)).notes
    assert 'holds several models: the one under "student." is taken, not "teacher."' in notes[0]


class Settings(argparse.Namespace):
    """What a training script keeps beside its weights."""


@pytest.mark.parametrize("is_zip", [True, False])
def test_objects_of_other_code_beside_the_weights_are_passed_over_and_never_made(tmp_path, is_zip):
    theirs, trace = restated("vit", nn.GELU), tmp_path / "trace"
    content = {
        "args": argparse.Namespace(lr=0.1, path=Path("runs")),
        "settings": Settings(names={"a", "b"}),
        "called": Runs(os.mkdir, str(trace)),
        "counts": collections.Counter("abc"),
        "state_dict": {name: x.to(torch.bfloat16) if "conv1" in name else x for name, x in theirs.state_dict().items()},
    }
    folder = folder_with(tmp_path / "model", {}, CONFIG)
    torch.save(content, folder / "open_clip_pytorch_model.bin", _use_new_zipfile_serialization=is_zip)
    model = read_foreign(folder)
    assert not trace.exists()
    assert model.dtypes["image.stem.weight"] == "bfloat16"
    for name, tensor in theirs.state_dict().items():
        if name in ("visual.class_embedding", "logit_scale"):
            ours = {"visual.class_embedding": "image.class_embedding"}.get(name, name)
            assert np.array_equal(model.weights[ours], tensor)


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
def test_a_whole_model_in_a_pickle_is_refused_with_the_line_that_saves_its_weights(tmp_path):
    torch.save({"model": restated()}, tmp_path / "model.pt")
    with pytest.raises(
        ModelError, match=r"asks for restated_clip\.RestatedCLIP.*\n.*torch\.save\(model\.state_dict"
    ) as error:
        read_foreign(tmp_path / "model.pt")
    assert str(error.value).startswith(str(tmp_path / "model.pt"))


def test_without_a_logit_scale_it_loads_and_says_what_cannot_be_had(tmp_path):
    theirs = restated("vit", nn.GELU)
    weights = {name: x for name, x in theirs.state_dict().items() if name != "logit_scale"}
    model = read_foreign(folder_with(tmp_path / "model", weights, CONFIG))
    check_embeddings(model, theirs)
    assert np.exp(model.weights["logit_scale"]) == pytest.approx(100)
    assert "holds no logit_scale" in model.warnings[0]
    assert "probabilities are those of the usual value" in model.warnings[0]


def test_one_tower_alone_is_told_with_the_way_on(tmp_path):
    weights = restated("vit", nn.GELU).state_dict()
    image = {name: x for name, x in weights.items() if name.startswith("visual.")}
    bare = {name.removeprefix("visual."): x for name, x in image.items()}
    text = {name: x for name, x in weights.items() if not name.startswith("visual.")}
    timm = {"patch_embed.proj.weight": torch.zeros(3), "blocks.0.attn.qkv.weight": torch.zeros(3)}
    for number, (tower, told) in enumerate([(image, "text"), (bare, "text"), (timm, "text"), (text, "image")]):
        folder = folder_with(tmp_path / str(number), tower, CONFIG)
        with pytest.raises(UsageError, match=f"and no {told} tower(.|\n)*give the checkpoint of the whole model"):
            read_foreign(folder)


def test_an_adapter_is_told_with_the_lines_that_merge_it(tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "openai/clip-vit-base-patch32"}')
    name = "base_model.model.vision_model.encoder.layers.0.self_attn.q_proj.lora_A.weight"
    save_file({name: torch.zeros(2, 2)}, tmp_path / "adapter_model.safetensors")
    for path in (tmp_path, tmp_path / "adapter_model.safetensors"):
        with pytest.raises(UsageError, match=r"is an adapter of PEFT(.|\n)*merge_and_unload"):
            read_foreign(path)
    with pytest.raises(UsageError, match="changes to openai/clip-vit-base-patch32"):
        read_foreign(tmp_path)


def test_a_folder_without_some_of_its_files_names_them(tmp_path):
    folder = folder_with(tmp_path / "model", {}, CONFIG)
    (folder / "open_clip_pytorch_model.bin").unlink()
    (folder / "config.json").write_text("{}")
    parts = {f"t{number}": f"model-{number:05}-of-00003.safetensors" for number in (1, 2, 3)}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))
    save_file({"t1": torch.zeros(1)}, folder / parts["t1"])
    with pytest.raises(
        ModelError, match=r"model-00002-of-00003\.safetensors, model-00003-.* are missing, 2 of 3 files"
    ):
        read_foreign(folder)
    with pytest.raises(UsageError, match=r"is one of several files of a model\. Give the folder"):
        read_foreign(folder / parts["t1"])


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_one_number_that_is_not_finite_is_refused_with_its_tensor(tmp_path, number, dtype):
    weights = restated("vit", nn.GELU).state_dict()
    weights["text_projection"] = weights["text_projection"].clone().to(dtype)
    weights["text_projection"][3, 5] = number
    folder = folder_with(tmp_path / "model", weights, CONFIG)
    with pytest.raises(ModelError, match=r"the tensor text_projection holds 1 of 1,536 numbers that are not finite"):
        read_foreign(folder)


def test_a_tower_or_a_projection_of_zeros_is_refused(tmp_path):
    weights = restated("vit", nn.GELU).state_dict()
    zeros = {name: torch.zeros_like(x) if name.startswith("visual.") else x for name, x in weights.items()}
    with pytest.raises(ModelError, match="the weights of the image tower are all zero"):
        read_foreign(folder_with(tmp_path / "image", zeros, CONFIG))
    nothing = weights | {"text_projection": torch.zeros_like(weights["text_projection"])}
    with pytest.raises(ModelError, match=r"text\.projection\.weight is all zeros"):
        read_foreign(folder_with(tmp_path / "text", nothing, CONFIG))


@pytest.mark.parametrize(
    ("part", "changes", "told"),
    [
        ("vision_cfg", {"layers": 10**9}, "asks for depth 1,000,000,000; 1,024 is the most"),
        ("vision_cfg", {"width": 10**12}, "the most that Lexel builds"),
        ("text_cfg", {"context_length": 10**9}, "asks for context_length 1,000,000,000"),
        ("text_cfg", {"vocab_size": 10**12}, "asks for vocabulary_size"),
    ],
)
def test_sizes_beyond_reason_are_refused_before_anything_is_built(tmp_path, part, changes, told):
    config = CONFIG | {part: CONFIG[part] | changes}
    folder = folder_with(tmp_path / "model", restated("vit", nn.GELU).state_dict(), config)
    with pytest.raises(ModelError, match=told):
        read_foreign(folder)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[" * 100_000, "is nested too deeply"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "is nested too deeply"),
        ("[]", "is not a JSON object"),
        ('{"embed_dim": ' + "9" * 10_000 + "}", "is not readable JSON"),
        ("no json", "is not readable JSON"),
    ],
)
def test_a_configuration_that_is_none_is_told_in_one_line(tmp_path, content, told):
    folder = folder_with(tmp_path / "model", restated("vit", nn.GELU).state_dict(), CONFIG)
    (folder / "open_clip_config.json").write_text(content)
    with pytest.raises(ModelError, match=rf"open_clip_config\.json {told}"):
        read_foreign(folder)
