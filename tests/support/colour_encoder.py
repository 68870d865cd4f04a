"""An encoder whose answers can be worked out by hand: images and texts are bags of the colours in them."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from lexel.checkpoints.model_folder.training_pictures import TrainingPictures
from lexel.data.pairs import Pair, Source
from lexel.errors import BadImageError

COLOURS = {
    "red": (220, 20, 20),
    "green": (20, 180, 20),
    "blue": (20, 20, 220),
    "yellow": (230, 220, 20),
    "white": (250, 250, 250),
    "black": (5, 5, 5),
    "cyan": (20, 220, 220),
}
NAMES = list(COLOURS)


@dataclass(frozen=True)
class Painted:
    """Equal stripes of the named colours."""

    colours: tuple[str, ...]

    def load(self) -> Image.Image:
        return Image.fromarray(np.array([[COLOURS[name] for name in self.colours]], np.uint8).repeat(8, 0).repeat(8, 1))


@dataclass(frozen=True)
class Broken:
    def load(self) -> Image.Image:
        raise BadImageError("the file ends in the middle")


class ColourEncoder:
    """Sees which share of the picture has which colour; reads which colours a text names."""

    name = "colours"
    fingerprint = "c010c010"
    logit_scale = 10.0
    logit_bias: float | None = None
    training_pictures: TrainingPictures | None = None
    calibration = None

    def embed_images(self, images):
        return np.stack([self._image(image) for image in images]).astype(np.float32)

    def embed_readable(self, images, what=None):
        kept, vectors, bad = [], [], []
        for i, image in enumerate(images):
            try:
                vectors.append(self._image(image))
                kept.append(i)
            except BadImageError as error:
                bad.append((i, str(error)))
        stacked = np.array(vectors, np.float32) if vectors else np.zeros((0, len(NAMES) + 1), np.float32)
        return stacked, np.array(kept, dtype=np.int64), bad

    def embed_texts(self, texts):
        counts = np.array([[text.lower().count(name) for name in NAMES] + [0.05] for text in texts], np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)

    def probabilities(self, images, texts):
        return self.probabilities_of(self.embed_images(images) @ self.embed_texts(texts).T)

    def probabilities_of(self, cosines):
        logits = cosines.astype(np.float64) * self.logit_scale
        if self.logit_bias is not None:
            return 1 / (1 + np.exp(-(logits + self.logit_bias)))
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)

    def count_truncated(self, texts):
        return sum(len(text) > 60 for text in texts)

    def _image(self, image) -> np.ndarray:
        pixels = np.asarray(image if isinstance(image, Image.Image) else image.load(), dtype=float).reshape(-1, 3)
        distances = ((pixels[:, None] - np.array(list(COLOURS.values()))) ** 2).sum(-1)
        counts = np.append(np.bincount(distances.argmin(1), minlength=len(NAMES)), 0.05 * len(pixels))
        return counts / np.linalg.norm(counts)


class CollapsedEncoder(ColourEncoder):
    """To which everything looks and reads the same."""

    name = "collapsed"

    def embed_texts(self, texts):
        return np.full((len(texts), 4), 0.5, np.float32)

    def _image(self, image) -> np.ndarray:
        image.load()
        return np.full(4, 0.5)


def painted(key: str, *colours: str, label: str | None = None, captions: tuple[str, ...] = ()) -> Pair:
    return Pair(key=key, picture=Painted(colours), label=label, captions=captions)


def labelled_source(names=NAMES, each: int = 3) -> Source:
    return Source("colours", [painted(f"{name}{i}", name, label=name) for name in names for i in range(each)])


def captioned_source() -> Source:
    """Every two-colour picture, with one caption of its own and one shared by all that begin with the same colour."""
    pairs = [
        painted(f"{a}-{b}", a, b, captions=(f"{a} beside {b}", f"something {a}")) for a in NAMES for b in NAMES if a < b
    ]
    return Source("stripes", pairs, split="test")
