"""Which model is the teacher, and what of it is matched."""

from typing import Self

from pydantic import Field, model_validator

from lexel.config import Config


class DistillSettings(Config):
    """A teacher whose embeddings of the same pictures and captions are matched. It embeds them once, before the first
    step. Pictures without captions teach the image tower alone."""

    teacher: str = Field(min_length=1)  # whatever lexel.load takes: a model folder, an export, ViT-L-14/openai
    features: float = Field(default=1.0, ge=0)
    # weight of the distance of embeddings from the teacher's (1 − cosine, the mean of both towers), through a learned
    # linear map where the lengths differ
    similarities: float = Field(default=1.0, ge=0)
    # weight of the divergence from the teacher's distribution over the texts of a batch for each picture, and over the
    # pictures for each text
    contrast: float = Field(default=1.0, ge=0)  # weight of the loss that [loss] describes

    @model_validator(mode="after")
    def _learns_from_the_teacher(self) -> Self:
        if not self.features and not self.similarities:
            raise ValueError("with features = 0 and similarities = 0 nothing is learned from the teacher")
        return self
