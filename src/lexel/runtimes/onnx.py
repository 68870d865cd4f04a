"""Towers run by ONNX Runtime: an exported model folder, on any machine and without torch."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import onnxruntime

from lexel.batches import Batching, cores
from lexel.errors import ModelError
from lexel.runtimes.lanes import Lanes, Tower


class OnnxRuntime:
    """Runs the ONNX files of two towers on the CPU; `file` gives a tower's path. Each is opened at its first call.

    Calls raise ModelError when a file is not that tower.
    """

    def __init__(
        self, file: Callable[[Tower], Path], *, logit_scale: float, logit_bias: float | None, number_format: str
    ) -> None:
        self.number_format = number_format
        self.logit_scale = logit_scale
        self.logit_bias = logit_bias
        self.batching = Batching(lanes=cores())
        self._file = file
        self._lanes = Lanes(self._open)

    def lane(self) -> AbstractContextManager[None]:
        """Within it, calls from this thread keep to one core."""
        return self._lanes.lane()

    def image_vectors(self, pixels: np.ndarray) -> np.ndarray:
        """Normalised pixels (B, 3, H, W) float32 → (B, E) float32, not yet of unit length."""
        return run(self._lanes.tower("image"), {"pixels": pixels})

    def text_vectors(self, ids: np.ndarray) -> np.ndarray:
        """Token ids (B, T) int64 → (B, E) float32, not yet of unit length."""
        return run(self._lanes.tower("text"), {"ids": ids})

    def _open(self, tower: Tower, in_lane: bool) -> onnxruntime.InferenceSession:
        return open_session(self._file(tower), threads=1 if in_lane else cores())


def open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """ONNX Runtime's session of one file on the CPU. Raises ModelError when it cannot be run."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # its warnings are about the graph, which the user did not write
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # it has an exception of its own, of no public name, for each kind of damage
        reason = str(error).splitlines()[0]
        raise ModelError(f"ONNX Runtime cannot run {path}: {reason}\nExport the model again.") from None


def run(session: onnxruntime.InferenceSession, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """The vectors (B, E) that a tower gives for its one input. Raises ModelError where it has another."""
    wanted = [node.name for node in session.get_inputs()]
    if wanted != list(inputs):
        raise ModelError(f"A tower takes {', '.join(inputs)}, but this ONNX file takes {', '.join(wanted)}.")
    return np.asarray(session.run(None, inputs)[0])
