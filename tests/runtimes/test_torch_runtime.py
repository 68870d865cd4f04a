import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from lexel.checkpoints.model_folder.folder import open_model_folder
from lexel.errors import ModelError, UsageError
from lexel.runtimes.torch import TorchRuntime, best_device, build_clip, choose_device


@pytest.fixture
def folder(tiny_model):
    return open_model_folder(tiny_model)


@pytest.fixture
def architecture(folder):
    return folder.manifest.architecture


def pixels(architecture, count: int = 2) -> np.ndarray:
    size = architecture.image.image_size
    return np.random.default_rng(0).normal(size=(count, 3, size, size)).astype(np.float32)


@pytest.mark.parametrize("training", [True, False])
def test_a_live_module_is_run_in_evaluation_mode_and_put_back_as_it_was(folder, architecture, training):
    clip = build_clip(architecture, folder.weights())
    seen = []
    clip.text.register_forward_hook(lambda module, *_: seen.append((module.training, torch.is_grad_enabled())))
    clip.train(training)
    TorchRuntime(clip).text_vectors(np.array([[1, 2]]))
    assert seen == [(False, False)]
    assert clip.training is training
    assert torch.is_grad_enabled()


def test_training_mode_is_put_back_also_after_an_error(folder, architecture):
    clip = build_clip(architecture, folder.weights()).train()
    with pytest.raises(ValueError, match="pixels must be"):
        TorchRuntime(clip).image_vectors(np.zeros((1, 5, 3, 3), np.float32))
    assert clip.training


def test_vectors_are_float32_arrays_of_the_embedding_s_width(folder, architecture):
    runtime = TorchRuntime(build_clip(architecture, folder.weights()))
    images, texts = runtime.image_vectors(pixels(architecture)), runtime.text_vectors(np.array([[1, 2], [1, 2]]))
    assert images.shape == texts.shape == (2, architecture.embedding)
    assert images.dtype == texts.dtype == np.float32


def test_the_logit_scale_is_the_factor_and_not_its_logarithm(folder, architecture):
    weights = folder.weights() | {"logit_scale": np.array(np.log(20), np.float32)}
    runtime = TorchRuntime(build_clip(architecture, weights))
    assert runtime.logit_scale == pytest.approx(20)
    assert runtime.logit_bias is None


def test_a_sigmoid_model_has_its_bias(folder, architecture):
    weights = folder.weights() | {"logit_bias": np.array(-7, np.float32)}
    clip = build_clip(architecture.model_copy(update={"logit_bias": True}), weights)
    assert TorchRuntime(clip).logit_bias == -7


def test_weights_that_lack_one_are_refused(folder, architecture):
    weights = folder.weights()
    del weights["logit_scale"]
    with pytest.raises(ModelError, match="lack logit_scale"):
        build_clip(architecture, weights)


def test_weights_of_another_shape_are_refused(folder, architecture):
    with pytest.raises(ModelError, match=r"logit_scale has the shape \(3,\), the architecture wants \(\)"):
        build_clip(architecture, folder.weights() | {"logit_scale": np.zeros(3, np.float32)})


def test_weights_of_more_than_the_architecture_are_refused(folder, architecture):
    with pytest.raises(ModelError, match=r"hold decoder\.weight, which this architecture does not have \(1 such\)"):
        build_clip(architecture, folder.weights() | {"decoder.weight": np.zeros(3, np.float32)})


def test_a_device_is_chosen_or_the_one_asked_for_is_taken():
    assert choose_device(None) == best_device()
    assert choose_device("cpu") == "cpu"


def test_a_device_that_is_not_there_is_refused_in_two_lines():
    with pytest.raises(UsageError, match=r'^There is no device "abacus" here: .*\nThis machine has \w+\.$'):
        choose_device("abacus")


def test_float16_weights_are_run_in_float32(folder, architecture):
    weights = {name: array.astype(np.float16) for name, array in folder.weights().items()}
    clip = build_clip(architecture, weights)
    assert {parameter.dtype for parameter in clip.parameters()} == {torch.float32}
    assert np.isfinite(TorchRuntime(clip).image_vectors(pixels(architecture))).all()


def test_calls_at_the_same_time_put_the_training_mode_back_once_the_last_has_ended(folder, architecture):
    clip = build_clip(architecture, folder.weights()).train()
    runtime = TorchRuntime(clip)
    seen, both = [], threading.Barrier(2)

    def watch(module, *_):
        both.wait()
        seen.append(module.training)

    clip.text.register_forward_hook(watch)

    def on_one_core(_: int) -> int:
        with runtime.lane():
            runtime.text_vectors(np.array([[1, 2]]))
            return torch.get_num_threads()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(on_one_core, range(2))) == [1, 1]
    assert seen == [False, False]
    assert clip.training


def test_a_lane_gives_the_threads_back(folder, architecture):
    before = torch.get_num_threads()
    with TorchRuntime(build_clip(architecture, folder.weights())).lane():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
