"""Towers run by PyTorch: the CLIP module itself, on the CPU or a GPU."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from lexel.errors import ModelError, UsageError
from lexel.models.clip import CLIP
from lexel.models.config import CLIPConfig


class TorchRuntime:
    """Runs `clip` where its parameters are. The module stays yours: its training mode is put back after each call."""

    number_format = "float32"

    def __init__(self, clip: CLIP) -> None:
        self.clip = clip

    @property
    def logit_scale(self) -> float:
        return float(self.clip.logit_scale.detach().exp())

    @property
    def logit_bias(self) -> float | None:
        return None if self.clip.logit_bias is None else float(self.clip.logit_bias.detach())

    def image_vectors(self, pixels: np.ndarray) -> np.ndarray:
        with self._inference():
            return _to_numpy(self.clip.encode_image(self._on_device(pixels)))

    def text_vectors(self, ids: np.ndarray) -> np.ndarray:
        with self._inference():
            return _to_numpy(self.clip.encode_text(self._on_device(ids)))

    def _on_device(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.clip.logit_scale.device)

    @contextmanager
    def _inference(self) -> Iterator[None]:
        training = self.clip.training
        self.clip.eval()
        try:
            with torch.inference_mode():
                yield
        finally:
            self.clip.train(training)


def build_clip(architecture: CLIPConfig, weights: Mapping[str, np.ndarray], device: str = "cpu") -> CLIP:
    """The CLIP module with these weights, in evaluation mode. Raises ModelError when they do not fit."""
    with torch.device("meta"):
        clip = CLIP(architecture)
    expected = clip.state_dict()
    _check_fit({name: tuple(tensor.shape) for name, tensor in expected.items()}, weights)
    clip.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()}, assign=True)
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
