"""How well pictures and texts fit: classify, rank and similarity."""

from typing import Annotated, Self

from pydantic import BaseModel, Field, PositiveInt, model_validator

from lexel.server.http.bodies import ImageData
from lexel.server.schemas.embeddings import StrictBody

NonEmpty = Annotated[str, Field(min_length=1, pattern=r"\S")]
_MATCH = "probability that image and text belong together, independent of the other labels"


class ClassifyRequest(StrictBody):
    """A picture to name, and the names to choose among."""

    image: ImageData
    labels: Annotated[list[NonEmpty], Field(min_length=1, examples=[["cat", "dog"]])]
    templates: str | list[str] = Field(
        default="photo", description="a set of prompt templates (photo, plain, …), or sentences with {} for the label"
    )
    top: PositiveInt | None = Field(default=None, description="how many of the best labels; default: all")


class LabelFit(BaseModel):
    """How well a label fits."""

    label: str
    probability: float = Field(description="among the labels given; of a sigmoid-loss model by itself")
    match: float = Field(description=_MATCH)
    cosine: float


class ClassifyAnswer(BaseModel):
    """The labels, best first."""

    labels: list[LabelFit]
    logit_scale: float


class RankRequest(StrictBody):
    """A picture and captions, or a caption and pictures."""

    image: ImageData | None = None
    captions: list[NonEmpty] | None = None
    caption: NonEmpty | None = None
    images: list[ImageData] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        captions = self.image is not None and self.captions and self.caption is None and self.images is None
        images = self.caption is not None and self.images and self.image is None and self.captions is None
        if not (captions or images):
            raise ValueError("give image and captions, or caption and images")
        return self


class RankedFit(BaseModel):
    """How well one of the captions, or one of the images, fits."""

    index: int = Field(description="its place in the request, from 0")
    caption: str | None = None
    probability: float = Field(description="among those given; of a sigmoid-loss model by itself")
    match: float = Field(description=_MATCH)
    cosine: float


class RankAnswer(BaseModel):
    """Best first."""

    ranked: list[RankedFit]
    logit_scale: float


class SimilarityRequest(StrictBody):
    """Pictures and texts, each to be compared with each."""

    images: Annotated[list[ImageData], Field(min_length=1)]
    texts: Annotated[list[NonEmpty], Field(min_length=1)]


class SimilarityAnswer(BaseModel):
    """Matrices with a row for each image and a column for each text."""

    cosines: list[list[float]]
    probabilities: list[list[float]] = Field(description="rows sum to 1, but for a sigmoid-loss model")
    matches: list[list[float]] = Field(description=_MATCH)
    logit_scale: float
    logit_bias: float | None
