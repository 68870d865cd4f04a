"""Towers run by OpenVINO, the fastest on most CPUs: in bfloat16, or in int8 where the model was exported so.

It reads the same ONNX files as ONNX Runtime. They are compiled with dynamic shapes: for a batch size that is fixed the
gain is a few per cent, and each size would cost a compilation.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lexel.batches import Batching, cores
from lexel.errors import ModelError
from lexel.extras import missing_library
from lexel.runtimes.lanes import Lanes, Tower

Precision = Literal["float32", "bfloat16"]


class OpenVINORuntime:
    """Runs the ONNX files of two towers on the CPU; `file` gives a tower's path. Each is compiled at its first call.

    `precision` is the number format of the products. An int8 file multiplies in 8 bits, and does its few other products
    in the format that is fastest here. Raises UsageError without the extra `fast`; calls raise ModelError when a file
    is not that tower.
    """

    def __init__(
        self,
        file: Callable[[Tower], Path],
        *,
        logit_scale: float,
        logit_bias: float | None,
        number_format: str,
        precision: Precision = "float32",
    ) -> None:
        self._core = open_core()
        self.number_format = "bfloat16" if precision == "bfloat16" and number_format == "float32" else number_format
        self.logit_scale = logit_scale
        self.logit_bias = logit_bias
        self.batching = Batching(lanes=cores())
        fastest = number_format.startswith("int8") and self._has_bfloat16()
        self._precision = "bf16" if fastest or precision == "bfloat16" else "f32"
        self._file = file
        self._lanes = Lanes(self._open)

    def lane(self) -> AbstractContextManager[None]:
        """Within it, calls from this thread keep to one core."""
        return self._lanes.lane()

    def image_vectors(self, pixels: np.ndarray) -> np.ndarray:
        """Normalised pixels (B, 3, H, W) float32 → (B, E) float32, not yet of unit length."""
        return _run(self._lanes.tower("image"), "pixels", pixels)

    def text_vectors(self, ids: np.ndarray) -> np.ndarray:
        """Token ids (B, T) int64 → (B, E) float32, not yet of unit length."""
        return _run(self._lanes.tower("text"), "ids", ids)

    def _has_bfloat16(self) -> bool:
        return "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")

    def _open(self, tower: Tower, in_lane: bool) -> Any:
        path = self._file(tower)
        settings = {
            "INFERENCE_PRECISION_HINT": self._precision,
            "INFERENCE_NUM_THREADS": cores(),
            "NUM_STREAMS": cores() if in_lane else 1,  # a stream serves one call at a time, with its share of threads
            "ENABLE_CPU_PINNING": False,  # or two processes would share one core
        }
        try:
            return self._core.compile_model(path, "CPU", settings)
        except RuntimeError as error:
            lines = [line for line in str(error).splitlines() if line.strip()]
            reason = lines[-1] if lines else "no reason given"
            without = "This processor may not compute in bfloat16: take the number format float32."
            way_on = "Export the model again." if self._precision == "f32" else without
            raise ModelError(f"OpenVINO cannot run {path}: {reason}\n{way_on}") from None


def open_core() -> Any:
    """OpenVINO itself. Raises UsageError without the extra `fast`."""
    try:
        import openvino
    except ImportError as error:
        raise missing_library("The runtime openvino", "openvino", error) from None
    return _only_core(openvino.Core)


@cache
def _only_core(core: type) -> Any:
    """The one OpenVINO core of the process.

    A core gives a signal stack to the thread that makes it, and restores the previous stack when it is destroyed. If
    two cores are destroyed in the order in which they were made, the second restores the stack that the first has
    freed: the next signal, such as Ctrl-C or the end of a child process, then kills the process.
    """
    return core()


def _run(compiled: Any, name: str, values: np.ndarray) -> np.ndarray:
    wanted = [node.get_any_name() for node in compiled.inputs]
    if wanted != [name]:
        raise ModelError(f"A tower takes {name}, but this ONNX file takes {', '.join(wanted)}.")
    return compiled.create_infer_request().infer([values])[0].astype(np.float32)
