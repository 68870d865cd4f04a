"""How fast a step was, and what share of the machine it used.

MFU (model FLOPs utilisation, Chowdhery et al. 2022, appendix B) is the rate of a step's model FLOPs (`work.py`) as a
share of what this machine reaches in one large matrix product.
"""

import resource
import sys
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from lexel.training.metering.work import Work

PRODUCT_SECONDS = 0.01  # of a product that is long enough for the time to start it to be nothing beside
PEAK_SECONDS = 0.25  # that finding the peak takes


@dataclass(frozen=True, slots=True)
class Use:
    """What a step did in a second, on all processes, and with how much memory."""

    pairs_per_second: float
    tokens_per_second: float | None  # of captions, without padding; None where they were embedded before
    model_flops_per_second: float | None  # None where a tower is another library's, whose cost is not known
    mfu: float | None  # share of the measured peak
    memory: int  # bytes at most so far, of this process: allocated on a GPU, else resident


class Meter:
    """Measures steps on a device. `processes` share the work evenly, so the work of this one stands for all.

    Making one measures the machine, for a quarter of a second.
    """

    def __init__(self, device: torch.device, precision: torch.dtype, processes: int = 1) -> None:
        self.device = device
        self.precision = precision
        self.processes = processes
        self.peak = processes * matmul_peak(self.device, precision)
        if self.device.type == "cuda":  # what was measured with is no memory of the run
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    def facts(self) -> dict[str, str | int | float]:
        """What the shares are of, for the head of a log."""
        return {
            "device": device_name(self.device),
            "precision": str(self.precision).removeprefix("torch."),
            "processes": self.processes,
            "threads": torch.get_num_threads(),
            "matmul_flops_per_second": self.peak,
        }

    def use(self, work: Work, pairs: int, seconds: float) -> Use:
        """What a step on `pairs` of this process used, which was so much `work` and took `seconds`."""
        flops = None if work.flops is None else self.processes * work.flops
        return Use(
            pairs_per_second=self.processes * pairs / seconds,
            tokens_per_second=None if work.tokens is None else self.processes * work.tokens / seconds,
            model_flops_per_second=None if flops is None else flops / seconds,
            mfu=None if flops is None else flops / seconds / self.peak,
            memory=peak_memory(self.device),
        )


@torch.no_grad()
def matmul_peak(device: torch.device, precision: torch.dtype) -> float:
    """Operations per second of a large square matrix product here, the best of a quarter of a second.

    The matrices grow until a product takes long enough, so that a slow machine is done as soon as a fast one.
    """
    size, largest = 256, 8192 if device.type == "cuda" else 4096
    best, start = 0.0, time.perf_counter()
    matrix = _matrix(size, device, precision)
    _time_product(matrix)
    while time.perf_counter() - start < PEAK_SECONDS:
        seconds = min(_time_product(matrix) for _ in range(3))
        best = max(best, 2 * size**3 / seconds)
        if seconds < PRODUCT_SECONDS and size < largest:
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
