"""How much a step computed, and how much of the machine that used.

Model FLOPs are those that the mathematics of a step needs: forward and backward, three times the forward pass as
counted by `lexel.models.cost` for the real lengths of the captions and the pictures as large as they were. What is
computed twice to save memory (checkpointing, the gradient cache), the loss and the optimizer do not count. MFU
(Chowdhery et al. 2022, appendix B) is their rate as a share of what this machine reaches in one large matrix product.
"""

import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor, nn

from lexel.data.loader import Batch
from lexel.models.clip import CLIP
from lexel.models.cost import TRAINING, image_operations, text_operations
from lexel.models.text_transformer import first_end
from lexel.models.vision_transformer import VisionTransformer

LONG_ENOUGH = 0.01  # seconds for a product, beside which the time to start it is nothing
MEASURED_FOR = 0.25  # seconds


@dataclass(frozen=True, slots=True)
class Use:
    """What a step did in a second, on all processes, and with how much memory."""

    pairs_per_second: float
    tokens_per_second: float | None  # of captions, without padding; None where they were embedded before
    model_flops_per_second: float | None  # None where a tower is another library's, whose cost is not known
    mfu: float | None  # share of the measured peak
    memory: int  # bytes at most so far, of this process: allocated on a GPU, else resident


class Meter:
    """Measures steps of `clip`. With `world` processes, which share the work evenly, this one's counts stand for all.

    Making one measures the machine, for a quarter of a second.
    """

    def __init__(self, clip: CLIP, precision: torch.dtype, world: int = 1) -> None:
        self.device = clip.logit_scale.device
        self.precision = precision
        self.world = world
        self.peak = world * matmul_peak(self.device, precision)
        if self.device.type == "cuda":  # what was measured with is no memory of the run
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)
        self._clip = clip
        self._of_image: Callable[[int, float], int | None] = cache(partial(image_operations, clip.config))
        self._of_caption: Callable[[int], int | None] = cache(partial(text_operations, clip.config))

    def facts(self) -> dict[str, str | int | float]:
        """What the shares are of, for the head of a log."""
        return {
            "device": device_name(self.device),
            "precision": str(self.precision).removeprefix("torch."),
            "processes": self.world,
            "threads": torch.get_num_threads(),
            "matmul_flops_per_second": self.peak,
        }

    def use(self, batch: Batch, seconds: float) -> Use:
        """What a step on this process's part of a batch used, which took `seconds`."""
        lengths = self._lengths(batch)
        flops = self.flops(batch)
        return Use(
            pairs_per_second=self.world * len(batch.keys) / seconds,
            tokens_per_second=None if lengths is None else self.world * sum(lengths) / seconds,
            model_flops_per_second=None if flops is None else flops / seconds,
            mfu=None if flops is None else flops / seconds / self.peak,
            memory=peak_memory(self.device),
        )

    def flops(self, batch: Batch) -> int | None:
        """Model FLOPs of a step, of all processes, as the towers are now; None where a tower is another library's.

        What a frozen tower has embedded before costs nothing; one that learns nothing costs its forward pass.
        """
        image, text = self._clip.image, self._clip.text
        total = 0
        if batch.pixels is not None:
            dropped = image.patch_dropout if isinstance(image, VisionTransformer) and image.training else 0.0
            if (one := self._of_image(batch.pixels.shape[-1], dropped)) is None:
                return None
            total += passes(image) * len(batch.pixels) * one
        for length, count in Counter(self._lengths(batch)).items():
            if (one := self._of_caption(length)) is None:
                return None
            total += passes(text) * count * one
        return self.world * total

    def _lengths(self, batch: Batch) -> list[int] | None:
        return None if batch.ids is None else caption_lengths(batch.ids, self._clip.config.text.end_of_text)


def passes(tower: nn.Module) -> int:
    """How many times the cost of its forward pass a step spends on `tower`."""
    return TRAINING if any(parameter.requires_grad for parameter in tower.parameters()) else 1


def caption_lengths(ids: Tensor, end_of_text: int) -> list[int]:
    """Tokens of each caption (b, T) up to its first end-of-text; of the whole row where there is none."""
    return (first_end(ids, end_of_text) + 1).clamp(max=ids.shape[1]).tolist()


@torch.no_grad()
def matmul_peak(device: torch.device, precision: torch.dtype) -> float:
    """Operations per second of a large square matrix product here, the best of a quarter of a second.

    The matrices grow until a product takes long enough, so that a slow machine is done as soon as a fast one.
    """
    size, largest = 256, 8192 if device.type == "cuda" else 4096
    best, start = 0.0, time.perf_counter()
    matrix = _matrix(size, device, precision)
    _time_product(matrix)
    while time.perf_counter() - start < MEASURED_FOR:
        seconds = min(_time_product(matrix) for _ in range(3))
        best = max(best, 2 * size**3 / seconds)
        if seconds < LONG_ENOUGH and size < largest:
            size *= 2
            matrix = _matrix(size, device, precision)
    return best


def _matrix(size: int, device: torch.device, precision: torch.dtype) -> Tensor:
    random = torch.Generator(device).manual_seed(0)  # its own: the run's random numbers stay what they are
    return torch.randn(size, size, generator=random, device=device).to(precision)


def _time_product(matrix: Tensor) -> float:
    wait_for(matrix.device)
    start = time.perf_counter()
    torch.mm(matrix, matrix)
    wait_for(matrix.device)
    return time.perf_counter() - start


def wait_for(device: torch.device) -> None:
    """Until all that was asked of `device` is done."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def peak_memory(device: torch.device) -> int:
    """Bytes that this process has had at most: allocated by torch on a CUDA device, else resident."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def device_name(device: torch.device) -> str:
    """What people call this device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return "CPU" if device.type == "cpu" else device.type
