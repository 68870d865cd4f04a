"""Search: what may be asked of the library, and the photos that it finds."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt, model_validator

from lexel.server.http.bodies import ImageData
from lexel.server.schemas.embeddings import StrictBody
from lexel.server.schemas.judging import NonEmpty

Number = Annotated[int, Field(ge=0, le=2**63 - 1)]  # of a photo
Weight = Annotated[float, Field(allow_inf_nan=False, ge=-100, le=100)]


class Example(StrictBody):
    """A picture that hits should be like: a photo of the library by its number, or any picture."""

    id: Number | None = None
    image: ImageData | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.id is None) == (self.image is None):
            raise ValueError("give id or image")
        return self


class Part(StrictBody):
    """A text, a photo or a picture with its weight. Below 0 it counts against a photo; words below 0 exclude it."""

    text: NonEmpty | None = None
    id: Number | None = None
    image: ImageData | None = None
    weight: Weight = 1.0

    @model_validator(mode="after")
    def _one_with_weight(self) -> Self:
        if sum(given is not None for given in (self.text, self.id, self.image)) != 1:
            raise ValueError("give one of text, id and image")
        if not self.weight:
            raise ValueError("a weight of 0 says nothing")
        return self


class Filters(StrictBody):
    """Conditions that every hit has to meet."""

    keywords: NonEmpty | None = Field(default=None, description="words in caption, tags or file name")
    where: NonEmpty | None = Field(
        default=None, description="an SQL condition over the photos' columns", examples=["width > 1000"]
    )
    after: NonEmpty | None = Field(default=None, description="taken on or after: 2024, 2024-05 or 2024-05-31")
    before: NonEmpty | None = Field(default=None, description="taken before")
    orientation: Literal["landscape", "portrait", "square"] | None = None
    tag: NonEmpty | None = None
    least_side: PositiveInt | None = Field(default=None, le=2**31, description="pixels, of the shorter side")


class SearchRequest(Filters):
    """What is looked for: words, pictures, both, or nothing but filters."""

    text: NonEmpty | None = Field(default=None, examples=["a dog on a beach"])
    without: NonEmpty | list[NonEmpty] | None = Field(default=None, description="photos that show this are left out")
    like: Example | None = None
    combine: list[Part] = Field(default_factory=list)
    literal: bool = Field(default=False, description='take a word or two as they stand, not as "a photo of a …"')
    least: Literal["strong", "possible", "any"] = Field(default="any", description="how well words have to fit")
    diversity: float = Field(default=0.0, ge=0, le=1, description="spread the hits")
    top: PositiveInt = 20
    offset: NonNegativeInt = 0


class WordSearch(Filters):
    """What an address may ask: words and filters."""

    q: str = Field(min_length=1, description="what is to be seen", examples=["a dog"])
    least: Literal["strong", "possible", "any"] = Field(default="any", description="how well words have to fit")
    top: PositiveInt = 20
    offset: NonNegativeInt = 0

    def request(self) -> SearchRequest:
        """The same as a body would ask it."""
        return SearchRequest(text=self.q, **self.model_dump(exclude={"q"}))


class PhotoSummary(BaseModel):
    """What the library knows of a photo."""

    id: int
    path: str = Field(description="below the folder that was indexed")
    caption: str | None
    tags: list[str]
    width: int
    height: int
    taken: str | None = Field(description="local time, ISO 8601")
    thumbnail: str = Field(description="address of a JPEG of at most 256 pixels a side")
    image: str = Field(description="address of the picture itself; with ?side=N as a JPEG of at most N pixels a side")


class SearchHit(PhotoSummary):
    """A photo that was found."""

    score: float | None = Field(description="cosine with what was asked; null for filters alone")
    match: float | None = Field(description="probability that it fits the words, where that can be told")
    strength: Literal["strong", "possible", "unlikely"] | None
    is_there: bool = Field(description="whether its file is on the disk now")


class SearchAnswer(BaseModel):
    """Hits, best first."""

    hits: list[SearchHit]
    offset: int
    next_offset: int | None = Field(description="of the next page; null where there is none")


class PhotoAnswer(PhotoSummary):
    """All that the library knows of a photo."""

    size: int = Field(description="bytes")
    camera: str | None
    latitude: float | None
    longitude: float | None
    keywords: list[str] = Field(description="in the file itself")
    description: str | None = Field(description="in the file itself")
    is_there: bool
