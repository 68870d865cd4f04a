"""What a CLIP is made of, as data. No torch here: a model folder is read and checked without it.

Letters: B batch, T tokens, H heads, D width, E embedding, C channels.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from lexel.config import Config

Activation = Literal["gelu", "quick_gelu"]


class VisionTransformerConfig(Config):
    """Vision Transformer image tower (Dosovitskiy et al. 2021, as changed by Radford et al. 2021)."""

    kind: Literal["vision_transformer"] = "vision_transformer"
    image_size: PositiveInt = 224  # pixels, square
    patch_size: PositiveInt = 32  # pixels, square
    width: PositiveInt = 768
    depth: PositiveInt = 12
    heads: PositiveInt = 12
    mlp_ratio: float = Field(default=4.0, gt=0)
    pooling: Literal["class", "mean"] = "class"
    pre_norm: bool = True  # a LayerNorm between the embeddings and the first block, as in CLIP
    stem: Literal["patch", "convolutional"] = "patch"
    patch_dropout: float = Field(default=0.0, ge=0, lt=1)  # share of patches dropped in training
    activation: Activation = "gelu"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.image_size % self.patch_size:
            raise ValueError(f"image_size {self.image_size} is not a multiple of patch_size {self.patch_size}")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        if self.stem == "convolutional":
            self._stem_fits()
        return self

    def _stem_fits(self) -> None:
        if self.patch_size == 1 or self.patch_size & (self.patch_size - 1):
            raise ValueError(
                f"a convolutional stem halves the picture, so patch_size {self.patch_size} must be 2, 4, 8 …"
            )
        if self.width % (self.patch_size // 2):
            raise ValueError(
                f"a convolutional stem doubles its channels up to width {self.width}, "
                f"which must be a multiple of {self.patch_size // 2}, half of patch_size"
            )


class ResNetConfig(Config):
    """CLIP's modified ResNet image tower (Radford et al. 2021, section 2.4)."""

    kind: Literal["resnet"] = "resnet"
    image_size: PositiveInt = 224  # pixels, square
    width: PositiveInt = 64  # channels of the first stage's bottleneck; the last stage has 32 times as many out
    depths: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (3, 4, 6, 3)
    heads: PositiveInt = 32  # of the attention pooling

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.image_size % 32:
            raise ValueError(f"image_size {self.image_size} is not a multiple of 32")
        if self.width % 2 or self.width * 32 % self.heads:
            raise ValueError(f"width {self.width} must be even, and 32 times it a multiple of heads {self.heads}")
        return self


class TextTransformerConfig(Config):
    """Causal text Transformer pooled at end-of-text (Radford et al. 2021)."""

    context_length: PositiveInt = 77  # tokens, start and end included
    vocabulary_size: PositiveInt = 49408
    end_of_text: int = Field(default=49407, ge=0)  # id; the first one in a row ends the caption
    width: PositiveInt = 512
    depth: PositiveInt = 12
    heads: PositiveInt = 8
    mlp_ratio: float = Field(default=4.0, gt=0)
    activation: Activation = "gelu"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        if self.end_of_text >= self.vocabulary_size:
            raise ValueError(f"end_of_text {self.end_of_text} is outside a vocabulary of {self.vocabulary_size}")
        return self


class CLIPConfig(Config):
    """Two towers that meet in one space of `embedding` dimensions."""

    embedding: PositiveInt = 512
    image: Annotated[VisionTransformerConfig | ResNetConfig, Field(discriminator="kind")] = VisionTransformerConfig()
    text: TextTransformerConfig = TextTransformerConfig()
    logit_bias: bool = False  # a learned additive bias, for the sigmoid loss
