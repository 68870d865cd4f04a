"""Progressive resizing and patch dropout: small pictures, or few patches of each, first, and whole ones at the end.

Most of what a tower learns early it can learn from small pictures (Tan and Le 2021; for CLIP Li et al. 2023), or from
part of their patches (FLIP, Li et al. 2023); the last steps adapt it to whole ones. Sizes are pure functions of the
step. They change in a few stairs, because a compiled tower is compiled once for each size.
"""

from dataclasses import dataclass

from pydantic import Field

from lexel.architectures.config import ImageConfig
from lexel.config import Config
from lexel.errors import UsageError

STAIRS = 4  # below the full size


class Ramp(Config):
    """A run may begin with smaller pictures, or with fewer of their patches. By default they are whole throughout."""

    size_from: float = Field(default=1.0, gt=0, le=1)  # side of the first pictures, as a share of image_size
    patch_dropout_from: float | None = Field(default=None, ge=0, lt=1)
    # share of the patches that the first steps leave out; default: as many as the image tower drops throughout
    until: float = Field(default=0.8, gt=0, le=1)  # share of the steps after which all is as the architecture says

    def check(self, tower: ImageConfig) -> None:
        """Raise UsageError where the image tower cannot take what the ramp gives it."""
        if self.size_from < 1 and tower.cell is None:
            raise UsageError(
                f"ramp.size_from: an image tower of kind {tower.kind} takes pictures of one size only.\n"
                "Leave ramp.size_from out."
            )
        if self.patch_dropout_from is not None and not tower.patches(tower.image_size):
            raise UsageError(
                f"ramp.patch_dropout_from: an image tower of kind {tower.kind} has no patches to leave out.\n"
                "Only a vision_transformer has; ramp.size_from is for the others too."
            )

    def image_size(self, step: int, steps: int, tower: ImageConfig) -> int:
        """The side of step `step`'s pictures in pixels: a multiple of the tower's cell until it is the full one."""
        progress = self._progress(step, steps)
        if self.size_from == 1 or progress == 1 or tower.cell is None:
            return tower.image_size
        side = tower.image_size * (self.size_from + (1 - self.size_from) * progress)
        return min(tower.image_size, max(1, round(side / tower.cell)) * tower.cell)

    def patch_dropout(self, step: int, steps: int, tower: ImageConfig) -> float:
        """The share of a picture's patches that step `step` leaves out; 0 for a tower without patches."""
        first, last = self.patch_dropout_from, tower.final_patch_dropout
        if first is None or not tower.patches(tower.image_size):
            return last
        return first + (last - first) * self._progress(step, steps)

    def _progress(self, step: int, steps: int) -> float:
        """0 on the first stair, 1 once all is whole, which the last step always is."""
        if step >= steps - 1:
            return 1.0
        return min(STAIRS, int(STAIRS * step / (self.until * steps))) / STAIRS


@dataclass(frozen=True)
class ImageSizes:
    """The side of each step's pictures in pixels; a value, so that it can be sent to worker processes."""

    ramp: Ramp
    steps: int
    tower: ImageConfig

    def __call__(self, step: int) -> int:
        return self.ramp.image_size(step, self.steps, self.tower)
