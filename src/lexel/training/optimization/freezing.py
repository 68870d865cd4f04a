"""Towers that learn nothing: locked-image tuning (LiT, Zhai et al. 2022), or the other way round."""

from typing import Self

from pydantic import model_validator

from lexel.config import Config
from lexel.models.clip import CLIP


class FreezeSettings(Config):
    """Which tower keeps the weights that it starts from, to the bit."""

    image: bool = False  # keep the image tower as it is
    text: bool = False  # keep the text tower as it is
    cache_embeddings: bool = True
    # A frozen tower embeds every picture or text once, before the first step. Pictures are then not augmented.

    @model_validator(mode="after")
    def _leaves_something_to_learn(self) -> Self:
        if self.image and self.text:
            raise ValueError("with both towers frozen nothing is left to learn")
        return self


def freeze(clip: CLIP, settings: FreezeSettings) -> None:
    """Take the gradients from the towers that are to stay as they are, projection and all.

    From then on they are in evaluation mode always: no dropout, and no running statistics that move.
    """
    for tower, frozen in ((clip.image, settings.image), (clip.text, settings.text)):
        if frozen:
            tower.requires_grad_(False)
    clip.train(clip.training)
