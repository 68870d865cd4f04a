"""Which languages a text tower learns, and from what."""

from pydantic import Field

from lexel.config import Config


class LanguageSettings(Config):
    """More languages: a text tower learns from parallel captions to give the vector that the teacher, the model of
    `model.image_weights`, gives for the English one (Reimers and Gurevych 2020; Carlsson et al. 2022). The image tower
    stays as it is."""

    columns: tuple[str, ...] = Field(min_length=1)  # of the captions: their names, or codes, as de for captions_de
    english: str | None = None  # column of the English captions; default: that of the captions, or en
