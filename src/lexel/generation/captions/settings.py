"""The settings of a captioner: what it is made of and how it learns."""

from typing import Any, Self

from pydantic import Field, PositiveInt, ValidationError, model_validator

from lexel.batches import ceil_div
from lexel.config import Config
from lexel.errors import UsageError
from lexel.generation.learning.settings import LearningSettings

PASSES, MIN_STEPS, MAX_STEPS = 12, 600, 10_000  # over the captions, and steps at least and at most, by default


class CaptionerSettings(Config):
    """What a captioner is made of and how it learns."""

    learning: LearningSettings = LearningSettings(batch_size=128, learning_rate=2e-3, steps=MIN_STEPS)
    vocabulary_size: PositiveInt = 4000  # tokens at most, learned from the captions
    context_length: int = Field(default=40, ge=3)  # tokens of a caption, with start and end
    width: PositiveInt = 192
    depth: PositiveInt = 2
    heads: PositiveInt = 4
    dropout: float = Field(default=0.1, ge=0, lt=1)
    texts_only: bool = False  # learn from the captions without their pictures
    noise: float = Field(default=0.8, ge=0)  # of vectors of texts: of a length drawn from 0 to this
    picture_noise: float = Field(default=0.3, ge=0)  # of vectors of pictures, likewise
    pair_share: float = Field(default=0.75, gt=0, le=1)  # of a batch that is learned from pictures, where there are any
    memory: PositiveInt = 100_000  # texts that are remembered at most
    temperature: float = Field(default=0.02, gt=0)  # of the projection of pictures onto the memory

    @classmethod
    def build(cls, content: dict[str, Any]) -> Self:
        """Settings of these values. Raises UsageError where they do not go together."""
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            where = "".join(f"{part}: " for part in first["loc"])
            raise UsageError(f"{where}{first['msg'].removeprefix('Value error, ')}.") from None

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of its {self.heads} heads")
        return self


def default_steps(captions: int, batch_size: int) -> int:
    """Steps that are enough for so many captions: some passes over them."""
    return min(max(ceil_div(PASSES * captions, batch_size), MIN_STEPS), MAX_STEPS)
