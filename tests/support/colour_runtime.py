"""A model without weights that can be served: a picture is the colours in it, a text the colours that it names."""

from contextlib import AbstractContextManager, nullcontext
from functools import cache

import numpy as np
from PIL import ImageColor

from lexel.batches import Batching
from lexel.calibration import Calibration
from lexel.encoder import Encoder
from lexel.images import Preprocessing
from lexel.tokenizer import Tokenizer

NAMES = ("red", "orange", "yellow", "green", "blue", "navy", "purple", "white", "black", "gray")
PREPROCESSING = Preprocessing(image_size=32)
NOTHING = 0.2  # how much of a vector says nothing of colours


class ColourRuntime:
    """Dimension k is how much there is of colour k; the last one is the same for all."""

    number_format = "float32"
    logit_scale = 20.0
    logit_bias: float | None = None
    batching = Batching()

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def lane(self) -> AbstractContextManager[None]:
        return nullcontext()

    def image_vectors(self, pixels: np.ndarray) -> np.ndarray:
        mean, std = (np.array(values, np.float32)[:, None, None] for values in (PREPROCESSING.mean, PREPROCESSING.std))
        colours = ((pixels * std + mean) * 255).transpose(0, 2, 3, 1).reshape(len(pixels), -1, 1, 3)
        nearest = ((colours - _palette()) ** 2).sum(-1).argmin(-1)
        shares = np.stack([np.bincount(row, minlength=len(NAMES)) / len(row) for row in nearest])
        return np.pad(shares, ((0, 0), (0, 1)), constant_values=NOTHING).astype(np.float32)

    def text_vectors(self, ids: np.ndarray) -> np.ndarray:
        texts = [self._tokenizer.backend.decode(row.tolist()).lower() for row in ids]
        counts = [[float(name in text) for name in NAMES] + [NOTHING] for text in texts]
        return np.array(counts, np.float32)


@cache
def _palette() -> np.ndarray:
    return np.array([ImageColor.getrgb(name)[:3] for name in NAMES], np.float32)


def colour_model(name: str = "colours") -> Encoder:
    """An Encoder that finds what is red when it is asked for red."""
    tokenizer = Tokenizer.train([f"a photo of a {colour} thing" for colour in NAMES], 400, 48)
    calibration = Calibration(slope=12.0, intercept=-8.0, pairs=100, expected_calibration_error=0.01, source="colours")
    return Encoder(
        ColourRuntime(tokenizer), tokenizer, PREPROCESSING, name=name, fingerprint="c0105eed", calibration=calibration
    )
