"""All settings of a painter's training, read from flags or a small TOML file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError

from lexel.config import Config
from lexel.errors import UsageError
from lexel.generation.learning.settings import LearningSettings
from lexel.generation.pictures.decoder import DecoderSettings
from lexel.generation.pictures.prior import PriorSettings
from lexel.training.recipe_errors import explain
from lexel.training.recipe_file import changed, read_recipe_file


class PainterRecipe(Config):
    """What a painter is made of, and how its two parts learn. The seed is that of both."""

    seed: int = Field(default=0, ge=0)
    templates: tuple[str, ...] = ("a photo of a {}.",)  # for pairs that have a label and no caption
    prior: PriorSettings = PriorSettings()
    prior_learning: LearningSettings = LearningSettings(steps=4000, batch_size=256)
    decoder: DecoderSettings = DecoderSettings()
    decoder_learning: LearningSettings = LearningSettings(steps=5000, batch_size=64, warmup=0.02)

    @classmethod
    def build(cls, file: Path | None = None, changes: Sequence[str] = ()) -> Self:
        """The defaults, changed by a TOML file and then by `path.to.field=value`. Raises UsageError."""
        content: Mapping[str, Any] = read_recipe_file(file) if file else {}
        try:
            return cls.model_validate(changed(content, changes))
        except ValidationError as error:
            raise UsageError(f"{file or 'The settings'}: {explain(error, cls)}") from None
