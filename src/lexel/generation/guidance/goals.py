"""What is wanted of a picture, as a loss of its embeddings: a text or a picture to be near to, or a change."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from lexel.encoder import Encoder
from lexel.encoder_inputs import ImageLike
from lexel.errors import UsageError

LEAST_CHANGE = 0.05  # length below which a change has no direction yet: its loss is linear there, not a cosine


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user asks for."""

    text: str | None = None
    like: ImageLike | None = None
    change: tuple[str, str] | None = None  # from, to

    def check(self) -> None:
        """Raise UsageError where nothing is asked for, or a text is empty."""
        if self.text is None and self.like is None and self.change is None:
            raise UsageError("Say what the picture should show: a text, a picture to be like, or a change FROM TO.")
        for text in (self.text, *(self.change or ())):
            if text is not None and not text.strip():
                raise UsageError("The text is empty: it describes nothing that a picture could show.")
        if self.change is not None and self.change[0].strip() == self.change[1].strip():
            raise UsageError(f'The change is from "{self.change[0]}" to the same text. Give two that differ.')

    def in_words(self) -> str:
        """One line that says what is asked for."""
        parts = [self.text, "like a picture" if self.like is not None else None, _arrow(self.change)]
        return ", ".join(part for part in parts if part)

    def texts(self) -> list[str]:
        """All texts in it."""
        return [text for text in (self.text, *(self.change or ())) if text is not None]


@dataclass(frozen=True, slots=True)
class Goal:
    """One thing that is wanted, in the space of one model."""

    kind: Literal["text", "picture", "change"]
    wanted: str  # in words
    target: np.ndarray  # (D,) unit vector: to be near to, or the direction of a change
    shown: np.ndarray | None = None  # (D,) unit vector of the text that the picture should fit in the end

    def loss(self, vectors: Tensor, first: Tensor) -> Tensor:
        """1 − cosine: unit vectors (N, D) now, and `first` (N, D) of the same views of the start → (N,)"""
        target = torch.from_numpy(self.target).to(vectors)
        if self.kind != "change":
            return 1 - vectors @ target
        # The directional loss of StyleGAN-NADA (Gal et al. 2022).
        moved = vectors - first
        return 1 - moved @ target / moved.norm(dim=1).clamp(min=LEAST_CHANGE)


def goals_of(wish: Wish, encoder: Encoder) -> list[Goal]:
    """The wish in the space of a model. Raises UsageError or BadImageError for what it cannot embed."""
    goals: list[Goal] = []
    if wish.text is not None:
        vector = encoder.embed_texts([wish.text])[0]
        goals.append(Goal("text", wish.text, vector, vector))
    if wish.like is not None:
        goals.append(Goal("picture", "the picture that it should be like", encoder.embed_images([wish.like])[0]))
    if wish.change is not None:
        before, after = encoder.embed_texts(list(wish.change))
        length = float(np.linalg.norm(after - before))
        if length < 1e-6:
            raise UsageError(f'{encoder.name} reads "{wish.change[0]}" and "{wish.change[1]}" alike: no way leads on.')
        goals.append(Goal("change", _arrow(wish.change), (after - before) / length, after))
    return goals


def needs_start(goals: Sequence[Goal]) -> bool:
    """Whether a loss compares with the start."""
    return any(goal.kind == "change" for goal in goals)


def _arrow(change: tuple[str, str] | None) -> str:
    return " → ".join(change) if change is not None else ""
