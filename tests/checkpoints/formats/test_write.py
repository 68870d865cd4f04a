"""Conversions: every weight keeps its bits, the other library loads the result, and nothing else is overwritten."""

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign_models import rows_of_ids, saved, their_embeddings, towers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from restated_clip import restated, write_archive
from safetensors.torch import load_file
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from lexel.architectures.config import CLIPConfig, TextTransformerConfig, VisionTransformerConfig
from lexel.checkpoints.formats.read import ForeignModel, read_foreign, shapes_of
from lexel.checkpoints.formats.write import to_lexel, write_huggingface, write_open_clip
from lexel.errors import UsageError
from lexel.images import Preprocessing, decode, fit

MERGES = Path(__file__).parents[4] / "shared/data/clip/bpe_simple_vocab_16e6.txt.gz"


def same(a: ForeignModel, b: ForeignModel) -> bool:
    """Whether two models are the same in all that makes an embedding."""
    return (
        a.architecture == b.architecture
        and a.preprocessing == b.preprocessing
        and a.dtypes == b.dtypes
        and a.weights.keys() == b.weights.keys()
        and all(np.array_equal(a.weights[name], array) for name, array in b.weights.items())
        and (a.tokenizer is None) == (b.tokenizer is None)
        and (a.tokenizer is None or b.tokenizer is None or a.tokenizer.to_json() == b.tokenizer.to_json())
    )


def drawn(architecture: CLIPConfig, dtype: Any = np.float32, **more: Any) -> ForeignModel:
    """A model with random weights."""
    generator = np.random.default_rng(0)
    shapes = shapes_of(architecture, "made up")
    weights = {name: generator.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}
    size = architecture.image.image_size
    return ForeignModel(
        name="drawn",
        architecture=architecture,
        preprocessing=Preprocessing(image_size=size, convention="open_clip"),
        weights={name: np.asarray(array) for name, array in weights.items()},
        tokenizer=None,
        source=Path("drawn"),
        format="drawn",
        dtypes={name: np.dtype(dtype).name for name in weights},
        **more,
    )


def small(image: dict[str, Any] | None = None, text: dict[str, Any] | None = None, **top: Any) -> CLIPConfig:
    sizes = {"width": 32, "depth": 2, "heads": 2}
    return CLIPConfig(
        embedding=top.pop("embedding", 24),
        image=VisionTransformerConfig.model_validate(sizes | {"image_size": 32, "patch_size": 8} | (image or {})),
        text=TextTransformerConfig.model_validate(
            sizes | {"context_length": 12, "vocabulary_size": 100, "end_of_text": 99} | (text or {})
        ),
        **top,
    )


SIGLIP = small(
    {"pooling": "map", "norm_tokens": True, "projection": False, "pre_norm": False, "patch_bias": True},
    {"causal": False, "pooling": "last", "projection": "linear_bias", "pad_id": 1, "end_of_text": 1},
    embedding=32,
    logit_bias=True,
)
COCA = {"pooling": "attention", "class_token": True, "pooling_heads": 4}
OPEN_CLIP = {
    "clip": small(),
    "clipa": small({"pooling": "mean", "class_token": True, "pre_norm": False}, {"causal": False, "pad_id": 0}),
    "coca": small(COCA | {"pooling_queries": 5}, {"pooling": "class"}),
    "coca of one width": small(COCA, {"pooling": "class"}, embedding=32),
    "gains": small({"layer_scale": True, "mlp_ratio": 2.7}, {"layer_scale": True, "projection": "linear_bias"}),
    "other numbers": small({"norm_epsilon": 1e-6, "activation": "gelu_tanh"}, {"end_of_text": 5}),
    "bias": small(logit_bias=True),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("name", OPEN_CLIP)
def test_open_clip_folders_round_trip_bit_for_bit(name, dtype, tmp_path):
    model = drawn(OPEN_CLIP[name], dtype)
    write_open_clip(model, tmp_path / "out")
    assert same(read_foreign(tmp_path / "out"), model)


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_huggingface_folders_round_trip_bit_for_bit(name, tmp_path):
    model = drawn({"clip": small(), "siglip": SIGLIP}[name])
    write_huggingface(model, tmp_path / "out")
    assert same(read_foreign(tmp_path / "out"), model)


@pytest.mark.parametrize("kind", ["clip", "clip-gelu", "siglip", "chinese", "bert", "xlm-roberta"])
def test_what_transformers_wrote_is_written_back_as_it_was_and_loads_there(kind, tmp_path):
    saved(kind, tmp_path / "in")
    model = read_foreign(tmp_path / "in")
    write_huggingface(model, tmp_path / "out")
    before, after = (load_file(tmp_path / place / "model.safetensors") for place in ("in", "out"))
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    theirs, text = AutoModel.from_pretrained(tmp_path / "out").eval(), model.architecture.text
    pixels, ids = torch.randn(2, 3, 32, 32), rows_of_ids(min(text.end_of_text, 99), text.pad_id or 0)
    image, words = their_embeddings(theirs, pixels, ids, None if text.kind == "text_transformer" else text.pad_id)
    with torch.no_grad():
        ours_image, ours_words = towers(model)(pixels, ids)
    torch.testing.assert_close(ours_image, image, rtol=0, atol=1e-5)
    torch.testing.assert_close(ours_words, words, rtol=0, atol=1e-5)


def test_openais_archive_goes_through_every_format_and_keeps_its_bits(tmp_path):
    write_archive(restated("vit").half(), str(tmp_path / "model.pt"))
    model = read_foreign(tmp_path / "model.pt")
    write_open_clip(model, tmp_path / "a")
    write_huggingface(read_foreign(tmp_path / "a"), tmp_path / "b")
    write_open_clip(read_foreign(tmp_path / "b"), tmp_path / "c")
    assert same(read_foreign(tmp_path / "c"), model)
    assert model.weights["image.stem.weight"].dtype == np.float16


def test_a_resnet_round_trips_with_its_running_statistics(tmp_path):
    write_archive(restated("resnet"), str(tmp_path / "model.pt"))
    model = read_foreign(tmp_path / "model.pt")
    write_open_clip(model, tmp_path / "a")
    again = read_foreign(tmp_path / "a", activation="quick_gelu")
    assert same(again, model)
    with pytest.raises(UsageError, match="transformers cannot hold this model: its image tower is no Vision"):
        write_huggingface(model, tmp_path / "b")


def test_bfloat16_is_written_as_bfloat16(tmp_path):
    write_open_clip(drawn(small()), tmp_path / "float32")
    path = tmp_path / "float32" / "open_clip_model.safetensors"
    brief = {name: tensor.to(torch.bfloat16) for name, tensor in load_file(path).items()}
    torch.save(brief, tmp_path / "float32" / "open_clip_pytorch_model.bin")
    path.unlink()
    model = read_foreign(tmp_path / "float32")
    assert set(model.dtypes.values()) == {"bfloat16"}
    write_huggingface(model, tmp_path / "hf")
    write_open_clip(read_foreign(tmp_path / "hf"), tmp_path / "out")
    found = load_file(tmp_path / "out" / "open_clip_model.safetensors")
    assert all(torch.equal(found[name], tensor) for name, tensor in brief.items())


@pytest.mark.parametrize(
    ("architecture", "feature"),
    [
        (small({"stem": "convolutional"}), "convolutional stem"),
        (small({"pooling": "mean"}), "pools by mean"),
        (small({"layer_scale": True}), "learned gains"),
        (small(text={"end_of_text": 2}), "end with the token 2"),
        (small(text={"causal": False, "pad_id": 0}), "not causal"),
        (small(logit_bias=True), "logit bias, but not SigLIP's"),
        (SIGLIP.model_copy(update={"logit_bias": False}), "no logit bias"),
    ],
)
def test_what_transformers_cannot_hold_is_named_and_nothing_is_written(architecture, feature, tmp_path):
    with pytest.raises(UsageError, match=f"transformers cannot hold this model: .*{feature}"):
        write_huggingface(drawn(architecture), tmp_path / "out")
    assert not any(tmp_path.iterdir())


def test_pictures_with_edges_added_have_no_processor(tmp_path):
    model = drawn(small())
    padded = ForeignModel(**(vars(model) | {"preprocessing": Preprocessing(image_size=32, resize="pad")}))
    with pytest.raises(UsageError, match="made square by adding edges"):
        write_huggingface(padded, tmp_path / "out")


def test_something_else_is_never_overwritten(tmp_path):
    model, out = drawn(small()), tmp_path / "out"
    out.mkdir()
    write_open_clip(model, out)  # an empty folder will do
    write_open_clip(model, out)  # and one of the same kind is replaced
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine").touch()
    for write in (write_huggingface, write_open_clip):
        for target in (tmp_path / "file", tmp_path / "folder"):
            with pytest.raises(UsageError, match="exists and is no folder of this kind"):
                write(model, target)
    assert (tmp_path / "file").read_text() == "mine"
    assert (tmp_path / "folder" / "mine").is_file()
    with pytest.raises(UsageError, match=r"it has no config\.json"):
        write_huggingface(model, out)
    assert same(read_foreign(out), model)


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    model, out = drawn(small()), tmp_path / "out"
    write_open_clip(model, out)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_open_clip(drawn(OPEN_CLIP["bias"]), out)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert same(read_foreign(out), model)


def test_a_trained_model_round_trips_through_open_clip_with_its_tokenizer(tiny_model, tmp_path):
    model = read_foreign(tiny_model)
    plain = VisionTransformerConfig(image_size=32, patch_size=8, width=32, depth=1, heads=1)
    text = model.architecture.text.model_copy(update={"pooling": "end"})
    base = drawn(model.architecture.model_copy(update={"image": plain, "text": text}))
    model = ForeignModel(**(vars(base) | {"tokenizer": model.tokenizer}))
    assert model.tokenizer is not None
    write_open_clip(model, tmp_path / "out")
    again = read_foreign(tmp_path / "out")
    assert same(again, model)
    assert again.tokenizer is not None
    texts = ["A red circle", "two  squares <end> é", ""]
    assert again.tokenizer.encode(texts) == model.tokenizer.encode(texts)
    theirs = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert theirs(["a red circle"])["input_ids"] == model.tokenizer.encode(["a red circle"])
    to_lexel(again, tmp_path / "lexel")
    assert same(read_foreign(tmp_path / "lexel"), model)


@pytest.mark.skipif(not MERGES.is_file(), reason="CLIP's merges are not on this machine")
def test_clips_tokenizer_is_found_given_and_written(tmp_path):
    words = {"vocabulary_size": 49408, "end_of_text": 49407, "context_length": 16}
    write_open_clip(drawn(small(text=words)), tmp_path / "in")
    assert read_foreign(tmp_path / "in").tokenizer is None
    with pytest.raises(UsageError, match="comes without a tokenizer"):
        to_lexel(read_foreign(tmp_path / "in"), tmp_path / "lexel")
    model = read_foreign(tmp_path / "in", tokenizer=MERGES)
    assert model.tokenizer is not None
    texts = ["A photo of a café!", "a&amp;b", "", "word " * 40]
    for write, name in ((write_open_clip, "a"), (write_huggingface, "b")):
        write(model, tmp_path / name)
        again = read_foreign(tmp_path / name).tokenizer
        assert again is not None
        assert again.encode(texts) == model.tokenizer.encode(texts)
    theirs = AutoTokenizer.from_pretrained(tmp_path / "b")
    plain = ["a photo of a cat", "Two dogs, 3 birds."]
    assert theirs(plain)["input_ids"] == model.tokenizer.encode(plain)
    to_lexel(model, tmp_path / "lexel")
    assert same(read_foreign(tmp_path / "lexel"), model)
    assert "Converted by Lexel from in, OpenCLIP (safetensors)" in (tmp_path / "lexel" / "README.md").read_text()


@pytest.mark.parametrize("resize", ["shortest", "squash"])
def test_the_processor_that_is_written_makes_the_same_pixels(resize, tmp_path):
    from PIL import Image

    model = drawn(small())
    pixels = Preprocessing(image_size=32, resize=resize, convention="transformers")
    write_huggingface(ForeignModel(**(vars(model) | {"preprocessing": pixels})), tmp_path / "out")
    assert read_foreign(tmp_path / "out").preprocessing == pixels
    noise = np.random.default_rng(0).integers(0, 256, (40, 61, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    processor = AutoImageProcessor.from_pretrained(tmp_path / "out", use_fast=False)
    theirs = processor(Image.open(tmp_path / "noise.png"), return_tensors="np")["pixel_values"][0]
    back = (theirs * np.array(pixels.std)[:, None, None] + np.array(pixels.mean)[:, None, None]) * 255
    ours = fit(decode(tmp_path / "noise.png", convention="transformers"), pixels)
    assert np.abs(back - ours).max() <= 1


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    width=st.sampled_from([16, 32]),
    hidden=st.integers(1, 200),
    activation=st.sampled_from(["gelu", "gelu_tanh", "quick_gelu"]),
    depth=st.integers(1, 3),
)
def test_any_small_clip_round_trips_through_both_formats(tmp_path_factory, width, hidden, activation, depth):
    sizes = {"width": width, "mlp_hidden": hidden, "activation": activation, "depth": depth}
    model = drawn(small(sizes, sizes))
    folder = tmp_path_factory.mktemp("any")
    write_open_clip(model, folder / "a")
    first = read_foreign(folder / "a")
    write_huggingface(first, folder / "b")
    second = read_foreign(folder / "b")
    for again in (first, second):
        assert again.weights.keys() == model.weights.keys()
        assert all(np.array_equal(again.weights[name], array) for name, array in model.weights.items())
        for tower in ("image", "text"):
            ours, theirs = getattr(model.architecture, tower), getattr(again.architecture, tower)
            assert theirs.hidden == ours.hidden
            assert theirs.activation == activation
