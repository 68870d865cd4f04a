"""An encoder without towers: a picture is its colours on a coarse grid, a text the colours that it names."""

import re
import time
from pathlib import Path

import numpy as np
from PIL import ImageColor

from lexel.calibration import Calibration
from lexel.errors import BadImageError
from lexel.images import Preprocessing, decode, fit, to_rgb

GRID = 4


class QuickEncoder:
    """Quick, without weights, and near enough to an Encoder for all that a library asks of one."""

    exact = False
    preprocessing = Preprocessing(image_size=32)
    calibration: Calibration | None = None
    logit_scale = 10.0
    logit_bias: float | None = None
    source = None

    def __init__(self, name: str = "quick", fingerprint: str = "0011c0de", dimensions: int = 3 * GRID**2) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.dimensions = dimensions
        self.embedded = 0  # pictures

    def embed_images(self, images) -> np.ndarray:
        vectors, _, bad = self.embed_readable(images)
        if bad:
            raise BadImageError(bad[0][1])
        return vectors

    def embed_readable(self, images, what=None) -> tuple[np.ndarray, np.ndarray, list[tuple[int, str]]]:
        kept, vectors, bad = [], [], []
        for index, image in enumerate(images):
            try:
                vectors.append(self._vector(_pixels(image)))
                kept.append(index)
            except BadImageError as error:
                bad.append((index, str(error)))
        self.embedded += len(kept)
        stacked = np.array(vectors, np.float32).reshape(len(kept), self.dimensions)
        return stacked, np.array(kept, np.int64), bad

    def embed_texts(self, texts) -> np.ndarray:
        return np.array([self._vector(_named_colours(text)) for text in texts], np.float32)

    def count_truncated(self, texts) -> int:
        return 0

    def _vector(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 (3, 32, 32) → (D,) of unit length"""
        side = pixels.shape[1] // GRID
        cells = pixels.reshape(3, GRID, side, GRID, side).mean((2, 4)).reshape(-1) / 127.5 - 1 + 1e-3
        cells = np.resize(cells, self.dimensions)
        return (cells / np.linalg.norm(cells)).astype(np.float32)


class SlowOnRay(QuickEncoder):
    """Leaves time for a node to be killed, and writes down where it works."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self.log = log

    def embed_readable(self, images, what=None):
        import ray

        node = ray.get_runtime_context().get_node_id()
        (self.log / f"{node}-{time.monotonic_ns()}").touch()
        time.sleep(0.3)
        return super().embed_readable(images, what)


def _pixels(image) -> np.ndarray:
    preprocessing = QuickEncoder.preprocessing
    if hasattr(image, "load") and not hasattr(image, "mode"):
        return fit(image.load(), preprocessing)
    decoded = to_rgb(image) if hasattr(image, "mode") else decode(image, preprocessing.image_size)
    return fit(decoded, preprocessing)


def _named_colours(text: str) -> np.ndarray:
    colours = [_rgb(word) for word in re.findall(r"[a-z]+", text.lower())]
    mean = np.mean([colour for colour in colours if colour is not None] or [(128, 128, 128)], axis=0)
    return np.broadcast_to(mean[:, None, None], (3, 32, 32))


def _rgb(word: str) -> tuple[int, ...] | None:
    try:
        return ImageColor.getrgb(word)[:3]
    except ValueError:
        return None
