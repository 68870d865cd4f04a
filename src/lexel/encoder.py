"""The Encoder: a model made ready. Images and texts in, unit vectors out, in one shared space.

Pictures are decoded on all cores while the towers compute; captions are grouped by length, so that next to nothing is
spent on padding. How work is cut and spread over cores is in `batches`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Protocol

import numpy as np

from lexel.batches import Item, Result, ahead, cores, spread
from lexel.calibration import Calibration, sigmoid
from lexel.encoder_inputs import ImageLike, as_pixels, check_images, check_texts, in_image
from lexel.errors import BadImageError, ModelError, UsageError
from lexel.images import Preprocessing, normalize
from lexel.progress import track
from lexel.runtimes import Runtime
from lexel.tokenizer import Tokenizer
from lexel.unit_vectors import check_finite, unit

if TYPE_CHECKING:
    from lexel.checkpoints.model_folder.training_pictures import TrainingPictures
    from lexel.models.clip import CLIP

MIN_IMAGES_FOR_PROGRESS = 64  # images; with fewer, no progress is shown


class EncoderSource(Protocol):
    """Where an Encoder was loaded from, so that another process can load it again; `lexel.load` gives one."""

    @property
    def model(self) -> str: ...

    @property
    def runtime(self) -> str | None: ...

    @property
    def number_format(self) -> str | None: ...

    def load(self) -> "Encoder": ...


class Encoder:
    """Embeds images and texts. Get one from `lexel.load(MODEL)`.

    Embeddings are NumPy float32 of shape (N, D) and unit L2 norm: their dot products are cosines. `exact=True` decodes
    JPEGs at full size. By default large JPEGs are decoded at reduced scale, which is several times as fast and changes
    pixels by half a grey level on average.

    An Encoder that `lexel.load` made can be pickled: a worker process loads the same model there.

    Example:
        encoder = lexel.load("ViT-B-32/openai")
        encoder.similarity(["cat.jpg"], ["a cat", "a dog"])     # (1, 2) cosines
    """

    source: "EncoderSource | None" = None  # from which it can be loaded again, if it was loaded from there

    def __init__(
        self,
        runtime: Runtime,
        tokenizer: Tokenizer,
        preprocessing: Preprocessing,
        *,
        name: str,
        fingerprint: str,
        calibration: Calibration | None = None,
        read_training_pictures: Callable[[], "TrainingPictures | None"] | None = None,
        exact: bool = False,
    ) -> None:
        self.runtime = runtime
        self.tokenizer = tokenizer
        self.preprocessing = preprocessing
        self.name = name
        self.fingerprint = fingerprint
        self.calibration = calibration
        self._read_training_pictures = read_training_pictures
        self.exact = exact

    def __repr__(self) -> str:
        runtime = type(self.runtime).__name__
        return f"<Encoder {self.name}: {runtime}, {self.runtime.number_format}, {self.dimensions} dimensions>"

    def __reduce__(self) -> tuple[Callable[..., "Encoder"], tuple["EncoderSource", bool, str]]:
        if self.source is None:
            raise UsageError(
                f"{self.name} cannot be sent to another process: it cannot be loaded again by its name alone.\n"
                "  Save it as a model folder (lexel models convert) and load that, or load it in the worker."
            )
        return _load_again, (self.source, self.exact, self.fingerprint)

    @property
    def logit_scale(self) -> float:
        """The learned factor of the cosines, 1 to 100."""
        return self.runtime.logit_scale

    @property
    def logit_bias(self) -> float | None:
        """The learned bias of a sigmoid-loss model, else None."""
        return self.runtime.logit_bias

    @cached_property
    def training_pictures(self) -> "TrainingPictures | None":
        """The pictures that the model has learned from, where that is known."""
        return self._read_training_pictures() if self._read_training_pictures else None

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
        # Of a black picture: who asks for it embeds pictures, and need not wait for the text tower to be loaded.
        side = self.preprocessing.image_size
        return self.runtime.image_vectors(np.zeros((1, 3, side, side), np.float32)).shape[1]

    def preprocess(self, image: ImageLike) -> np.ndarray:
        """(3, H, W) float32, as the image tower sees it. Raises BadImageError, or UsageError for what is no image."""
        return normalize(as_pixels(image, self.preprocessing, exact=self.exact), self.preprocessing)

    def tokenize(self, texts: Sequence[str]) -> np.ndarray:
        """(N, T) int64 token ids, T the longest of the texts."""
        return self.tokenizer(check_texts(texts))

    def count_truncated(self, texts: Sequence[str]) -> int:
        """How many of the texts are longer than the context and lose their end."""
        return self.tokenizer.count_truncated(check_texts(texts))

    def embed_images(self, images: Iterable[ImageLike]) -> np.ndarray:
        """(N, D) unit vectors of images.

        An image is a path, bytes, an open file, a PIL image, an array or torch tensor of pixels (uint8, or floating
        point in 0..1; grey, RGB or RGBA), or a Picture. Raises BadImageError for one that cannot be read, UsageError
        for what is no image, ModelError for an embedding that is not finite; each names its position.
        """
        vectors, _, bad = self.embed_readable(images, what=None)
        if bad:
            index, reason = bad[0]
            raise BadImageError(f"Image {index + 1} cannot be read: {reason}")
        check_finite(vectors, [f"image {position + 1}" for position in range(len(vectors))], self.name)
        return vectors

    def embed_readable(
        self, images: Iterable[ImageLike], what: str | None = "Embedding images"
    ) -> tuple[np.ndarray, np.ndarray, list[tuple[int, str]]]:
        """Embed what can be decoded and name the rest, for long jobs.

        Returns (K, D) unit vectors, the (K,) indices of the images that they belong to, and (index, reason) of every
        image that cannot be read. `what` heads the progress shown; None shows none. The caller, who knows the images'
        names, checks that the vectors are finite: `unit_vectors.check_finite`.
        """
        images = check_images(images)
        vectors: list[np.ndarray] = []
        kept: list[int] = []
        bad: list[tuple[int, str]] = []
        embedded = self._embedded(images)
        if what and len(images) >= MIN_IMAGES_FOR_PROGRESS:
            embedded = track(embedded, what, len(images))
        for index, outcome in enumerate(embedded):
            if isinstance(outcome, BadImageError):
                bad.append((index, str(outcome)))
            else:
                kept.append(index)
                vectors.append(outcome)
        stacked = np.stack(vectors) if vectors else np.zeros((0, self.dimensions), np.float32)
        return stacked, np.array(kept, dtype=np.int64), bad

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """(N, D) unit vectors of the texts; a text longer than the context is cut.

        Raises UsageError for no str, and ModelError for an embedding that is not finite.
        """
        rows = self.tokenizer.encode(check_texts(texts))
        if not rows:
            return np.zeros((0, self.dimensions), np.float32)
        by_length = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        batches = self.runtime.batching.cut_texts([len(rows[index]) for index in by_length])

        def embed(batch: slice) -> np.ndarray:
            return unit(self.runtime.text_vectors(self.tokenizer.stack([rows[index] for index in by_length[batch]])))

        vectors = np.concatenate(list(self._spread(embed, batches, len(batches))))
        order = [index for batch in batches for index in by_length[batch]]
        vectors = vectors[np.argsort(np.array(order))]
        check_finite(vectors, [f"text {position + 1}" for position in range(len(vectors))], self.name)
        return vectors

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
            return sigmoid(logits + self.logit_bias)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
        return exponentials / exponentials.sum(axis=1, keepdims=True)

    def match(self, images: Iterable[ImageLike], texts: Sequence[str]) -> np.ndarray:
        """(N images, M texts): the probability that each image and text belong together, by the model's calibration.

        It is the probability when half of the pairs shown are true (prior 0.5); see `Calibration`. Raises UsageError
        when the model has not been calibrated.
        """
        self._check_calibrated()
        return self.match_of(self.similarity(images, texts))

    def match_of(self, cosines: np.ndarray) -> np.ndarray:
        """Turn cosines of any shape into the probabilities that `match` gives."""
        return self._check_calibrated().probability(cosines)

    def _check_calibrated(self) -> Calibration:
        if self.calibration is None:
            raise UsageError(
                f"{self.name} has not been calibrated, so the probability of a match is not known.\n"
                "Calibrate it on pairs that it was not trained on: lexel models calibrate MODEL SOURCE"
            )
        return self.calibration

    def _spread(self, work: Callable[[Item], Result], batches: Iterable[Item], count: int) -> Iterator[Result]:
        """The work on each of the `count` batches, in order, on one core each or, when they are few, in turn on all."""
        lanes = self.runtime.batching.lanes
        if lanes == 1 or count < lanes:
            return spread(work, batches, 1)

        def on_one_core(batch: Item) -> Result:
            with self.runtime.lane():
                return work(batch)

        return spread(on_one_core, batches, lanes)

    def _embedded(self, images: Sequence[ImageLike]) -> Iterator[np.ndarray | BadImageError]:
        """For each image, in order: its unit vector (D,), or the reason why there is none."""
        if len(images) <= 1:  # no thread is worth starting
            yield from self._embed_batch([self._attempt(image) for image in enumerate(images)])
            return
        sizes = self.runtime.batching.cut_images(len(images), self.preprocessing.image_size)

        def embed(batch: list[Future[np.ndarray | BadImageError]]) -> list[np.ndarray | BadImageError]:
            return self._embed_batch([decoded.result() for decoded in batch])

        with ThreadPoolExecutor(cores()) as decoders:
            decoded = ahead(decoders, self._attempt, enumerate(images), 2 * max(sizes))
            batches = (list(islice(decoded, size)) for size in sizes)
            for outcomes in self._spread(embed, batches, len(sizes)):
                yield from outcomes

    def _embed_batch(self, decoded: Sequence[np.ndarray | BadImageError]) -> list[np.ndarray | BadImageError]:
        readable = [pixels for pixels in decoded if not isinstance(pixels, BadImageError)]
        vectors = iter(unit(self.runtime.image_vectors(np.stack(readable))) if readable else ())
        return [pixels if isinstance(pixels, BadImageError) else next(vectors) for pixels in decoded]

    def _attempt(self, numbered: tuple[int, ImageLike]) -> np.ndarray | BadImageError:
        index, image = numbered
        try:
            with in_image(index):
                return self.preprocess(image)
        except BadImageError as error:
            return error


def _load_again(source: "EncoderSource", exact: bool, fingerprint: str) -> Encoder:
    """The Encoder that another process pickled. Raises ModelError where the model has changed since."""
    encoder = source.load()
    if encoder.fingerprint != fingerprint:
        raise ModelError(
            f"{source.model} has changed since it was loaded in the process that sent it:"
            f" its fingerprint is {encoder.fingerprint}, not {fingerprint}."
        )
    encoder.exact = exact
    return encoder
