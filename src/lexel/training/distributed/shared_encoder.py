"""An Encoder whose work is divided among the processes of a training run."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Self

import numpy as np

from lexel.checkpoints.model_folder.training_pictures import TrainingPictures
from lexel.encoder import Encoder, ImageLike
from lexel.images import Preprocessing
from lexel.runtimes import Runtime
from lexel.runtimes.torch import TorchRuntime
from lexel.tokenizer import Tokenizer
from lexel.training.distributed.world import World


class SharedEncoder(Encoder):
    """Each process embeds its share of the images and texts and gets the embeddings of all.

    So every process must make the same calls, and can measure the model as if it were alone.
    """

    def __init__(
        self,
        runtime: Runtime,
        tokenizer: Tokenizer,
        preprocessing: Preprocessing,
        *,
        name: str,
        fingerprint: str,
        world: World,
        training_pictures: TrainingPictures | None = None,
        is_live: bool = True,
    ) -> None:
        """`is_live` says that the towers are those of the run, whose weights its fingerprint does not tell."""
        super().__init__(
            runtime,
            tokenizer,
            preprocessing,
            name=name,
            fingerprint=fingerprint,
            read_training_pictures=lambda: training_pictures,
        )
        self.world = world
        self.is_live = is_live

    @classmethod
    def around(cls, encoder: Encoder, world: World) -> Self:
        """A loaded model, the same on every process."""
        return cls(
            encoder.runtime,
            encoder.tokenizer,
            encoder.preprocessing,
            name=encoder.name,
            fingerprint=encoder.fingerprint,
            world=world,
            is_live=False,
        )

    @cached_property
    def dimensions(self) -> int:
        """Known without embedding anything, which a process without a share would do alone."""
        return self.clip.config.embedding if isinstance(self.runtime, TorchRuntime) else super().dimensions

    def embed_readable(
        self, images: Iterable[ImageLike], what: str | None = "Embedding images"
    ) -> tuple[np.ndarray, np.ndarray, list[tuple[int, str]]]:
        images = list(images)
        mine = self.world.share.of(len(images))
        vectors, kept, bad = super().embed_readable(images[mine.start : mine.stop], what)
        parts = self.world.gather((vectors, kept + mine.start, [(mine.start + index, reason) for index, reason in bad]))
        return (
            np.concatenate([vectors for vectors, _, _ in parts]),
            np.concatenate([kept for _, kept, _ in parts]),
            [image for _, _, bad in parts for image in bad],
        )

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        mine = self.world.share.of(len(texts))
        return np.concatenate(self.world.gather(super().embed_texts(texts[mine.start : mine.stop])))
