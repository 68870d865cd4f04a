import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tiny_towers import ids, pixels, unit

from lexel.checkpoints.model_folder.exported import ExportedTowers, open_towers
from lexel.errors import ModelError, UsageError
from lexel.runtimes.openvino import OpenVINORuntime, Precision
from lexel.runtimes.torch import TorchRuntime

pytest.importorskip("openvino")


def open_runtime(towers: ExportedTowers, precision: Precision = "float32") -> OpenVINORuntime:
    return OpenVINORuntime(
        towers.file,
        logit_scale=towers.logit_scale,
        logit_bias=towers.logit_bias,
        number_format=towers.number_format,
        precision=precision,
    )


@pytest.mark.parametrize("count", [1, 3, 20])
def test_images_of_any_batch_size_get_torch_s_vectors(clip, exported, count):
    images = pixels(clip, count)
    runtime = open_runtime(open_towers(exported))
    ours, reference = runtime.image_vectors(images), TorchRuntime(clip).image_vectors(images)
    assert runtime.number_format == "float32"
    assert ours.dtype == np.float32
    np.testing.assert_allclose(unit(ours), unit(reference), atol=1e-5)


@pytest.mark.parametrize(("count", "length"), [(1, 2), (1, 16), (2, 5), (9, 16)])
def test_texts_of_any_batch_size_and_length_get_torch_s_vectors(clip, exported, count, length):
    rows = ids(count, length)
    ours = open_runtime(open_towers(exported)).text_vectors(rows)
    np.testing.assert_allclose(unit(ours), unit(TorchRuntime(clip).text_vectors(rows)), atol=1e-5)


@pytest.mark.skipif("ONEDNN_MAX_CPU_ISA" in os.environ, reason="OpenVINO looks at the processor, its kernels at this")
def test_bfloat16_is_near_and_says_what_it_is(clip, exported):
    images = pixels(clip, 4)
    runtime = open_runtime(open_towers(exported), "bfloat16")
    ours, reference = runtime.image_vectors(images), TorchRuntime(clip).image_vectors(images)
    assert runtime.number_format == "bfloat16"
    assert (unit(ours) * unit(reference)).sum(axis=1).min() > 0.999


def test_float16_weights_keep_their_number_format(exported):
    assert open_runtime(open_towers(exported, "float16")).number_format == "float16"


def test_lanes_and_calls_on_all_cores_give_the_same_vectors(clip, exported):
    runtime = open_runtime(open_towers(exported))
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
    runtime = OpenVINORuntime(
        lambda tower: tmp_path / f"{tower}.onnx", logit_scale=1, logit_bias=None, number_format="float32"
    )
    with pytest.raises(ModelError, match=r"OpenVINO cannot run .*image\.onnx: "):
        runtime.image_vectors(np.zeros((1, 3, 32, 32), np.float32))
    with pytest.raises(ModelError, match=r"OpenVINO cannot run .*text\.onnx: "):
        runtime.text_vectors(np.zeros((1, 2), np.int64))


def test_without_openvino_the_extra_is_named(monkeypatch, exported):
    monkeypatch.setitem(sys.modules, "openvino", None)
    towers = open_towers(exported)
    with pytest.raises(UsageError, match=r'pip install "lexel\[fast\]"'):
        open_runtime(towers)


def test_all_runtimes_of_a_process_share_one_core(exported):
    towers = open_towers(exported)
    assert open_runtime(towers)._core is open_runtime(towers)._core
