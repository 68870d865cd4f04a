"""The Encoder: a model made ready. Images and texts in, unit vectors out, in one shared space.

Pictures are decoded on all cores while the towers compute; captions are grouped by length, so that nothing is spent on
padding.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lexel.checkpoints.folder import open_model_folder
from lexel.data.pairs import ImageFile, Picture
from lexel.errors import BadImageError, UsageError
from lexel.images import Preprocessing, decode, fit, normalize, to_rgb
from lexel.progress import track
from lexel.runtimes import Runtime
from lexel.tokenizer import Tokenizer, pad

if TYPE_CHECKING:
    from lexel.models.clip import CLIP

ImageLike = str | Path | bytes | Image.Image | np.ndarray | Picture

IMAGE_BATCH = 64
TEXT_BATCH = 256


class Encoder:
    """Embeds images and texts. Get one from `lexel.load(MODEL)`.

    Embeddings are NumPy float32 of shape (N, D) and unit L2 norm: their dot products are cosines.
    """

    def __init__(
        self, runtime: Runtime, tokenizer: Tokenizer, preprocessing: Preprocessing, *, name: str, fingerprint: str
    ) -> None:
        self.runtime = runtime
        self.tokenizer = tokenizer
        self.preprocessing = preprocessing
        self.name = name
        self.fingerprint = fingerprint

    @property
    def logit_scale(self) -> float:
        """The learned factor of the cosines, 1 to 100."""
        return self.runtime.logit_scale

    @property
    def logit_bias(self) -> float | None:
        """The learned bias of a sigmoid-loss model, else None."""
        return self.runtime.logit_bias

    @property
    def clip(self) -> "CLIP":
        """The CLIP module itself (torch runtime only)."""
        from lexel.runtimes.torch import TorchRuntime

        if not isinstance(self.runtime, TorchRuntime):
            raise UsageError("This encoder does not run on torch, so it has no CLIP module.")
        return self.runtime.clip

    @cached_property
    def dimensions(self) -> int:
        """D, the length of an embedding."""
        return self.embed_texts([""]).shape[1]

    def preprocess(self, image: ImageLike) -> np.ndarray:
        """(3, H, W) float32, as the image tower sees it. Raises BadImageError."""
        return normalize(self._pixels(image), self.preprocessing)

    def tokenize(self, texts: Sequence[str]) -> np.ndarray:
        """(N, T) int64 token ids, T the longest of the texts."""
        return self.tokenizer(_as_list(texts))

    def count_truncated(self, texts: Sequence[str]) -> int:
        """How many of the texts are longer than the context and lose their end."""
        return self.tokenizer.count_truncated(_as_list(texts))

    def embed_images(self, images: Iterable[ImageLike]) -> np.ndarray:
        """(N, D) unit vectors of paths, bytes, PIL images, RGB arrays or Pictures. Raises BadImageError."""
        vectors, _, bad = self.embed_readable(images, what=None)
        if bad:
            index, reason = bad[0]
            raise BadImageError(f"Image {index + 1} cannot be read: {reason}")
        return vectors

    def embed_readable(
        self, images: Iterable[ImageLike], what: str | None = "Embedding images"
    ) -> tuple[np.ndarray, np.ndarray, list[tuple[int, str]]]:
        """Embed what can be decoded and name the rest, for long jobs.

        Returns (K, D) unit vectors, the (K,) indices of the images that they belong to, and (index, reason) of every
        image that cannot be read. `what` heads the progress shown; None shows none.
        """
        images = _as_list(images)
        vectors: list[np.ndarray] = []
        kept: list[int] = []
        bad: list[tuple[int, str]] = []
        decoded = self._decoded(images)
        for batch in _batches(track(decoded, what, len(images)) if what else decoded, IMAGE_BATCH):
            readable = []
            for index, pixels in batch:
                if isinstance(pixels, BadImageError):
                    bad.append((index, str(pixels)))
                else:
                    kept.append(index)
                    readable.append(pixels)
            if readable:
                pixels = normalize(np.stack(readable), self.preprocessing)
                vectors.append(_unit(self.runtime.image_vectors(pixels)))
        stacked = np.concatenate(vectors) if vectors else np.zeros((0, self.dimensions), np.float32)
        return stacked, np.array(kept, dtype=np.int64), bad

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """(N, D) unit vectors of the texts; a text longer than the context is cut."""
        rows = self.tokenizer.encode(_as_list(texts))
        if not rows:
            return np.zeros((0, self.dimensions), np.float32)
        by_length = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        vectors = [
            self.runtime.text_vectors(pad([rows[index] for index in batch]))
            for batch in _batches(by_length, TEXT_BATCH)
        ]
        original_order = np.argsort(np.array(by_length))
        return _unit(np.concatenate(vectors))[original_order]

    def similarity(self, images: Iterable[ImageLike], texts: Sequence[str]) -> np.ndarray:
        """(N images, M texts) cosines, in −1..1."""
        return self.embed_images(images) @ self.embed_texts(texts).T

    def probabilities(self, images: Iterable[ImageLike], texts: Sequence[str]) -> np.ndarray:
        """(N images, M texts): which of the texts fits (softmax), or whether each does (sigmoid-loss models)."""
        return self.probabilities_of(self.similarity(images, texts))

    def probabilities_of(self, cosines: np.ndarray) -> np.ndarray:
        """Turn (N, M) cosines into probabilities with the learned scale and bias; rows sum to 1 for softmax models."""
        logits = cosines.astype(np.float64) * self.logit_scale
        if self.logit_bias is not None:
            return 1 / (1 + np.exp(-(logits + self.logit_bias)))
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
        return exponentials / exponentials.sum(axis=1, keepdims=True)

    def _decoded(self, images: Sequence[ImageLike]) -> Iterator[tuple[int, np.ndarray | BadImageError]]:
        """Decode on all cores, in order, at most two batches ahead of the towers."""

        def attempt(image: ImageLike) -> np.ndarray | BadImageError:
            try:
                return self._pixels(image)
            except BadImageError as error:
                return error

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            ahead = deque(pool.submit(attempt, image) for image in images[: 2 * IMAGE_BATCH])
            for index in range(len(images)):
                yield index, ahead.popleft().result()
                if (following := index + 2 * IMAGE_BATCH) < len(images):
                    ahead.append(pool.submit(attempt, images[following]))

    def _pixels(self, image: ImageLike) -> np.ndarray:
        size = self.preprocessing.image_size
        if isinstance(image, ImageFile):
            image = image.path
        if isinstance(image, (str, Path, bytes)):
            return fit(decode(image, at_least=size), self.preprocessing)
        if isinstance(image, (Image.Image, np.ndarray)):
            return fit(to_rgb(image), self.preprocessing)
        return fit(image.load(), self.preprocessing)


def load(model: str | Path, *, device: str | None = None) -> Encoder:
    """Make the model folder `model` ready to embed. `device` is torch's name of one; by itself a GPU when there is one.

    Raises UsageError when there is no such model and ModelError when its folder is damaged.
    """
    folder = open_model_folder(Path(model).expanduser())
    from lexel.runtimes.torch import TorchRuntime, build_clip, choose_device

    clip = build_clip(folder.manifest.architecture, folder.weights(), choose_device(device))
    return Encoder(
        TorchRuntime(clip),
        folder.tokenizer(),
        folder.manifest.preprocessing,
        name=folder.manifest.name,
        fingerprint=folder.fingerprint(TorchRuntime.number_format),
    )


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(norms, 1e-12)).astype(np.float32)


def _as_list(items: Iterable) -> list:
    one_picture = isinstance(items, np.ndarray) and items.ndim in (2, 3)  # its rows would pass for grey pictures
    if one_picture or isinstance(items, (str, bytes, Path, Image.Image)):
        raise UsageError(f"Give a list, not a single {type(items).__name__}: put it in [ ].")
    return list(items)


def _batches(items: Iterable, size: int) -> Iterator[list]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
