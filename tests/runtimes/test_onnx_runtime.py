from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tiny_towers import ids, pixels, unit

from lexel.checkpoints.model_folder.exported import NumberFormat, open_towers
from lexel.errors import ModelError
from lexel.runtimes.onnx import OnnxRuntime
from lexel.runtimes.torch import TorchRuntime


def open_runtime(folder: Path, number_format: NumberFormat = "float32") -> OnnxRuntime:
    towers = open_towers(folder, number_format)
    return OnnxRuntime(
        towers.file,
        logit_scale=towers.logit_scale,
        logit_bias=towers.logit_bias,
        number_format=towers.number_format,
    )


@pytest.mark.parametrize("count", [1, 3, 20])
def test_images_of_any_batch_size_get_torch_s_vectors(clip, exported, count):
    images = pixels(clip, count)
    ours, reference = open_runtime(exported).image_vectors(images), TorchRuntime(clip).image_vectors(images)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(unit(ours), unit(reference), atol=1e-5)


@pytest.mark.parametrize(("count", "length"), [(1, 2), (1, 16), (2, 5), (9, 16)])
def test_texts_of_any_batch_size_and_length_get_torch_s_vectors(clip, exported, count, length):
    rows = ids(count, length)
    ours, reference = open_runtime(exported).text_vectors(rows), TorchRuntime(clip).text_vectors(rows)
    np.testing.assert_allclose(unit(ours), unit(reference), atol=1e-5)


def test_float16_is_near_and_has_a_number_format_of_its_own(clip, exported):
    images = pixels(clip, 4)
    runtime = open_runtime(exported, "float16")
    ours, reference = runtime.image_vectors(images), TorchRuntime(clip).image_vectors(images)
    assert runtime.number_format == "float16"
    assert (unit(ours) * unit(reference)).sum(axis=1).min() > 0.99999


def test_scale_and_bias_are_the_model_s(clip, exported):
    ours, reference = open_runtime(exported), TorchRuntime(clip)
    assert ours.logit_scale == pytest.approx(reference.logit_scale)
    assert ours.logit_bias == reference.logit_bias


def test_lanes_and_calls_on_all_cores_give_the_same_vectors(clip, exported):
    runtime = open_runtime(exported)
    batches = [pixels(clip, 3, seed) for seed in range(6)]
    expected = [runtime.image_vectors(batch) for batch in batches]

    def on_one_core(batch: np.ndarray) -> np.ndarray:
        with runtime.lane():
            return runtime.image_vectors(batch)

    with ThreadPoolExecutor(3) as pool:
        for ours, theirs in zip(pool.map(on_one_core, batches), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_file_that_is_no_graph_is_refused(tmp_path):
    (tmp_path / "image.onnx").write_bytes(b"no graph at all")
    runtime = OnnxRuntime(
        lambda tower: tmp_path / f"{tower}.onnx", logit_scale=1, logit_bias=None, number_format="float32"
    )
    with pytest.raises(ModelError, match=r"ONNX Runtime cannot run .*image\.onnx: "):
        runtime.image_vectors(np.zeros((1, 3, 32, 32), np.float32))
    with pytest.raises(ModelError, match=r"ONNX Runtime cannot run .*text\.onnx: "):
        runtime.text_vectors(np.zeros((1, 2), np.int64))


@pytest.mark.parametrize("kind", ["clip"], indirect=True)
def test_a_text_tower_in_the_place_of_the_image_tower_is_refused(exported):
    towers = open_towers(exported)
    swapped = {"image": towers.file("text"), "text": towers.file("image")}
    runtime = OnnxRuntime(swapped.__getitem__, logit_scale=1, logit_bias=None, number_format="float32")
    with pytest.raises(ModelError, match="takes pixels, but this ONNX file takes ids"):
        runtime.image_vectors(np.zeros((1, 3, 32, 32), np.float32))
