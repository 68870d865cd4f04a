"""What is frozen: a tower, as in locked-image tuning (LiT, Zhai et al. 2022), or BatchNorm's running statistics."""

from typing import Self

from pydantic import model_validator

from lexel.config import AutoOrSwitch, Config
from lexel.models.clip import CLIP

SMALL_BATCH = 64  # pairs: below it statistics are noisy, so the starting model's are kept; not measured yet


class FreezeSettings(Config):
    """Which tower is frozen: it keeps the weights that it starts from, bit for bit. And BatchNorm's statistics."""

    image: bool = False  # keep the image tower as it is
    text: bool = False  # keep the text tower as it is
    cache_embeddings: bool = True
    # A frozen tower embeds every picture or text once, before the first step. Pictures are then not augmented.
    statistics: AutoOrSwitch = "auto"
    # keep BatchNorm's running statistics and normalise with them while its tower learns; auto: of weights that were
    # taken over, in batches of less than 64 pairs, or where the starting model is remembered

    @model_validator(mode="after")
    def _leaves_something_to_learn(self) -> Self:
        if self.image and self.text:
            raise ValueError("with both towers frozen nothing is left to learn")
        return self


def freeze(clip: CLIP, settings: FreezeSettings, *, keeps_statistics: bool = False) -> None:
    """Let the frozen towers, projections included, have no gradients.

    From then on they are always in evaluation mode: no dropout, and BatchNorm's running statistics do not change.
    """
    for tower, frozen in ((clip.image, settings.image), (clip.text, settings.text)):
        if frozen:
            tower.requires_grad_(False)
    clip.keeps_statistics = keeps_statistics
    clip.train(clip.training)
