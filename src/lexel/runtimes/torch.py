"""Towers run by PyTorch: the CLIP module itself, on the CPU or a GPU."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from lexel.architectures.config import CLIPConfig
from lexel.batches import Batching
from lexel.errors import ModelError, UsageError
from lexel.models.clip import CLIP
from lexel.models.towers import Tower
from lexel.runtimes.bfloat16 import round_to_bfloat16

GPU_IMAGES = 256  # of 224 pixels, in a call
GPU_OVERHEAD = 4096  # tokens that a GPU works through in the time that a call takes to start


class TorchRuntime:
    """Runs `clip` where its parameters are. The module stays yours: its training mode is put back after each call.

    In "bfloat16" the module is changed for good: see `lexel.runtimes.bfloat16`.
    """

    number_format: Literal["float32", "bfloat16"] = "float32"

    def __init__(self, clip: CLIP, number_format: Literal["float32", "bfloat16"] = "float32") -> None:
        self.clip = clip
        self.number_format = number_format
        if number_format == "bfloat16":
            round_to_bfloat16(clip)
        self._threads = torch.get_num_threads()  # now: in a lane it is 1, also as seen by threads that start there
        self._calls = _Calls(clip)

    @property
    def logit_scale(self) -> float:
        return float(self.clip.logit_scale.detach().exp())

    @property
    def logit_bias(self) -> float | None:
        return None if self.clip.logit_bias is None else float(self.clip.logit_bias.detach())

    @property
    def batching(self) -> Batching:
        """On a CPU one lane a core; a GPU takes large calls one after the other."""
        if self._device.type == "cpu":
            return Batching(lanes=self._threads)
        return Batching(images=GPU_IMAGES, overhead=GPU_OVERHEAD)

    @contextmanager
    def lane(self) -> Iterator[None]:
        """Within it, calls from this thread keep to one core."""
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(self._threads)

    def image_vectors(self, pixels: np.ndarray) -> np.ndarray:
        with self._inference(self.clip.image):
            return _to_numpy(self.clip.encode_image(self._on_device(pixels)))

    def text_vectors(self, ids: np.ndarray) -> np.ndarray:
        with self._inference(self.clip.text):
            return _to_numpy(self.clip.encode_text(self._on_device(ids)))

    @property
    def _device(self) -> torch.device:
        return self.clip.logit_scale.device

    def _on_device(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self._device)

    @contextmanager
    def _inference(self, tower: Tower) -> Iterator[None]:
        rounds = self.number_format == "bfloat16" and tower.is_of_another_library
        with self._calls, torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=rounds):
            yield


class _Calls:
    """Keeps a module in evaluation mode while any thread calls it, and then puts back the mode that it was in."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._running = 0
        self._training = False
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            if self._running == 0:
                self._training = self._module.training
                self._module.eval()
            self._running += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._running -= 1
            if self._running == 0:
                self._module.train(self._training)


def build_clip(architecture: CLIPConfig, weights: Mapping[str, np.ndarray], device: str = "cpu") -> CLIP:
    """The CLIP module with these weights, in evaluation mode and float32. Raises ModelError when they do not fit."""
    with torch.device("meta"):
        clip = CLIP(architecture)
    expected = clip.state_dict()
    _check_fit({name: tuple(tensor.shape) for name, tensor in expected.items()}, weights)
    # Weights may be stored in float16; each takes the number format of the parameter that it is for.
    tensors = {name: torch.from_numpy(array).to(expected[name].dtype) for name, array in weights.items()}
    clip.load_state_dict(tensors, assign=True)
    clip.image.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] # as the towers are built
    return clip.to(device).eval()


def _check_fit(expected: Mapping[str, tuple[int, ...]], weights: Mapping[str, np.ndarray]) -> None:
    for name, shape in expected.items():
        if name not in weights:
            raise ModelError(
                f"The weights lack {name}, which this architecture has. They belong to another architecture."
            )
        if weights[name].shape != shape:
            raise ModelError(f"The weight {name} has the shape {weights[name].shape}, the architecture wants {shape}.")
    if extra := sorted(weights.keys() - expected.keys()):
        raise ModelError(f"The weights hold {extra[0]}, which this architecture does not have ({len(extra)} such).")


def _to_numpy(vectors: Tensor) -> np.ndarray:
    return vectors.float().cpu().numpy()


def choose_device(wanted: str | None) -> str:
    """The device that torch calls `wanted`, or the fastest of this machine. Raises UsageError when it is not there."""
    try:
        torch.empty(1, device=wanted)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise UsageError(f'There is no device "{wanted}" here: {reason}.\nThis machine has {best_device()}.') from None
    return wanted or best_device()


def best_device() -> str:
    """The fastest device of this machine, as torch names it."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
