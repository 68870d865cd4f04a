"""Embeddings and models, in the shape of OpenAI's API, so that its clients work unchanged."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from lexel.server.http.bodies import ImageData


class StrictBody(BaseModel):
    """A request: a field that is not known is an error, never ignored."""

    model_config = ConfigDict(extra="forbid")


class TextInput(StrictBody):
    """A text to embed."""

    text: str


class ImageInput(StrictBody):
    """A picture to embed, as a data URL."""

    image: ImageData


class EmbeddingsRequest(StrictBody):
    """Texts and pictures to embed."""

    input: str | list[str] | list[TextInput | ImageInput] = Field(
        description="a text, texts, or texts and pictures in any order",
        examples=[["a red bicycle", "a dog on a beach"]],
    )
    model: str | None = Field(default=None, description="as /v1/models lists it; the default is the one served")
    encoding_format: Literal["float", "base64"] = Field(
        default="float", description="base64: little-endian float32, a third of the bytes"
    )
    dimensions: PositiveInt | None = Field(
        default=None, description="keep so many of the first components, at unit length again"
    )
    user: str | None = Field(default=None, description="not used; OpenAI's clients may send it")


class EmbeddingsForm(StrictBody):
    """The same as an upload of pictures."""

    images: Annotated[list[bytes], Field(min_length=1)]
    model: str | None = None
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: PositiveInt | None = None


class EmbeddingItem(BaseModel):
    """One vector of unit length."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class Usage(BaseModel):
    """Tokens that were read; pictures count none."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsAnswer(BaseModel):
    """The vectors in the order of the inputs."""

    object: Literal["list"] = "list"
    data: list[EmbeddingItem]
    model: str
    usage: Usage


class ModelItem(BaseModel):
    """A model that is served."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "lexel"
    fingerprint: str = Field(description="vectors may be compared where it is equal")
    dimensions: int
    number_format: str
    image_size: int = Field(description="pixels, square")
    context_length: int = Field(description="tokens that are read of a text")
    logit_scale: float
    logit_bias: float | None
    is_calibrated: bool = Field(description="whether matches are probabilities fitted on pairs")


class ModelList(BaseModel):
    """The models that are served."""

    object: Literal["list"] = "list"
    data: list[ModelItem]
