"""What a CLIP is made of, as data. No torch here: a model folder is read and checked without it.

Letters: B batch, T tokens, H heads, D width, E embedding, C channels.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, JsonValue, PositiveInt, Tag, model_validator

from lexel.config import Config

Activation = Literal["gelu", "quick_gelu", "gelu_tanh"]

CONVOLUTIONAL_CELL = 32  # pixels along a side that become one cell of the last stage of a ResNet or ConvNeXt


class ImageTowerConfig(Config):
    """What training asks of the settings of any image tower; the answers here are those of a tower without patches."""

    @property
    def cell(self) -> int | None:
        """Smaller pictures must be a multiple of this many pixels a side; None: the tower takes `image_size` only."""
        return None

    @property
    def final_patch_dropout(self) -> float:
        """Share of the patches that training leaves out unless a ramp says otherwise."""
        return 0.0

    def patches(self, image_size: int) -> int:
        """How many patches a picture of `image_size` pixels a side has, of which training may leave out; 0: none."""
        return 0


class VisionTransformerConfig(ImageTowerConfig):
    """Vision Transformer image tower (Dosovitskiy et al. 2021, as changed by Radford et al. 2021 and others)."""

    kind: Literal["vision_transformer"] = "vision_transformer"
    image_size: PositiveInt = 224  # pixels, square
    patch_size: PositiveInt = 32  # pixels, square
    drop_remainder: bool = False  # image_size need not be a multiple of patch_size: what is left over goes unseen
    width: PositiveInt = 768  # channels of a token
    depth: PositiveInt = 12  # blocks
    heads: PositiveInt = 12  # of attention
    mlp_ratio: float = Field(default=4.0, gt=0)  # of the MLP's width to `width`
    mlp_hidden: PositiveInt | None = None  # the MLP's width where no ratio gives it
    class_token: bool | None = None  # None: just for class pooling. CLIPA's is seen by the patches, but not averaged
    pooling: Literal["class", "mean", "map", "attention"] = "class"  # map: SigLIP's head; attention: CoCa's
    norm_tokens: bool = False  # the final norm comes before the pooling, on all tokens
    pooling_heads: PositiveInt | None = None  # of map and attention pooling; None: as many as `heads`
    pooling_queries: PositiveInt = 256  # of attention pooling; the first one gives the embedding
    projection: bool = True  # without it what was pooled is the embedding
    pre_norm: bool = True  # a LayerNorm between the embeddings and the first block, as in CLIP
    norm_epsilon: float = Field(default=1e-5, gt=0)  # of the normalisations
    layer_scale: bool = False  # a learned gain for each channel of what a branch adds
    stem: Literal["patch", "convolutional"] = "patch"  # one convolution a patch, or several small ones in a row
    patch_bias: bool = False  # of the patches' convolution
    patch_dropout: float = Field(default=0.0, ge=0, lt=1)  # share of patches dropped in training
    activation: Activation = "gelu"  # of the MLPs

    @property
    def cell(self) -> int:
        return self.patch_size

    @property
    def final_patch_dropout(self) -> float:
        return self.patch_dropout

    def patches(self, image_size: int) -> int:
        return (image_size // self.patch_size) ** 2

    @property
    def grid(self) -> int:
        """Patches along a side."""
        return self.image_size // self.patch_size

    @property
    def has_class_token(self) -> bool:
        return self.pooling == "class" if self.class_token is None else self.class_token

    @property
    def hidden(self) -> int:
        """Width inside an MLP."""
        return self.mlp_hidden or int(self.width * self.mlp_ratio)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.image_size % self.patch_size and not self.drop_remainder:
            raise ValueError(f"image_size {self.image_size} is not a multiple of patch_size {self.patch_size}")
        if self.image_size < self.patch_size:
            raise ValueError(f"image_size {self.image_size} is smaller than patch_size {self.patch_size}")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        if self.stem == "convolutional":
            self._stem_fits()
        self._pooling_fits()
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
        if self.drop_remainder:
            raise ValueError("a convolutional stem sees all of the picture, so drop_remainder must be false")

    def _pooling_fits(self) -> None:
        if self.pooling == "class" and self.class_token is False:
            raise ValueError("class pooling needs the class token, but class_token is false")
        if self.pooling == "attention" and (self.norm_tokens or not self.projection):
            raise ValueError("with attention pooling norm_tokens must be false and projection true")
        if self.pooling == "map" and self.width % (self.pooling_heads or self.heads):
            raise ValueError(f"width {self.width} is not a multiple of pooling_heads {self.pooling_heads}")


class ResNetConfig(ImageTowerConfig):
    """CLIP's modified ResNet image tower (Radford et al. 2021, section 2.4)."""

    kind: Literal["resnet"] = "resnet"
    image_size: PositiveInt = 224  # pixels, square
    width: PositiveInt = 64  # channels of the first stage's bottleneck; the last stage has 32 times as many out
    depths: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (3, 4, 6, 3)  # blocks of each stage
    heads: PositiveInt = 32  # of the attention pooling

    @property
    def cell(self) -> int:
        return CONVOLUTIONAL_CELL

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _whole_cells(self.image_size)
        if self.width % 2 or self.width * 32 % self.heads:
            raise ValueError(f"width {self.width} must be even, and 32 times it a multiple of heads {self.heads}")
        return self


class ConvNeXtConfig(ImageTowerConfig):
    """ConvNeXt image tower (Liu et al. 2022) with a projection behind its pooled state."""

    kind: Literal["convnext"] = "convnext"
    image_size: PositiveInt = 224  # pixels, square
    width: PositiveInt = 128  # channels of the first stage; each further stage has twice as many
    depths: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (3, 3, 27, 3)  # blocks of each stage
    norm_epsilon: float = Field(default=1e-6, gt=0)  # of the normalisations
    projection: Literal["linear", "mlp"] = "linear"  # mlp: through twice the embedding, with GELU

    @property
    def cell(self) -> int:
        return CONVOLUTIONAL_CELL

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _whole_cells(self.image_size)
        return self


class TimmConfig(ImageTowerConfig):
    """An image tower of the library timm; it needs the extra `timm`."""

    kind: Literal["timm"] = "timm"
    model: str  # timm's name, such as "eva02_base_patch16_clip_224"
    image_size: PositiveInt  # pixels, square
    pool: str = ""  # timm's global_pool; empty: the model's own
    projection: Literal["trunk", "none", "linear", "linear_bias", "mlp", "mlp_bias"] = "linear"
    # trunk: the model's own classifier is the projection; mlp: through twice the embedding, with GELU


def _whole_cells(image_size: int) -> None:
    if image_size % CONVOLUTIONAL_CELL:
        raise ValueError(f"image_size {image_size} is not a multiple of {CONVOLUTIONAL_CELL}")


class TextTransformerConfig(Config):
    """Text Transformer, causal and pooled at end-of-text (Radford et al. 2021) by default."""

    kind: Literal["text_transformer"] = "text_transformer"
    context_length: PositiveInt = 77  # tokens, start and end included
    vocabulary_size: PositiveInt = 49408  # tokens; where a tokenizer is learned, as many as it has
    end_of_text: int = Field(default=49407, ge=0)  # id; the first one in a row ends the caption
    pad_id: int | None = Field(default=None, ge=0)
    # What fills a row up to `context_length`, for towers that see it. None: rows are as long as the longest caption of
    # a batch, and the zeros that fill the others are not seen.
    width: PositiveInt = 512  # channels of a token
    depth: PositiveInt = 12  # blocks
    heads: PositiveInt = 8  # of attention
    mlp_ratio: float = Field(default=4.0, gt=0)  # of the MLP's width to `width`
    mlp_hidden: PositiveInt | None = None  # the MLP's width where no ratio gives it
    causal: bool = True  # each token sees only those before it
    pooling: Literal["end", "mean", "last", "first", "class"] = "end"
    # mean: of the caption's own tokens, start and end left out; class: CoCa's, a token behind the caption
    projection: Literal["linear", "linear_bias", "none"] = "linear"  # into the shared space
    norm_epsilon: float = Field(default=1e-5, gt=0)  # of the normalisations
    layer_scale: bool = False  # a learned gain for each channel of what a branch adds
    activation: Activation = "gelu"  # of the MLPs

    @property
    def sees_padding(self) -> bool:
        """Whether each row must be filled with `pad_id` to `context_length` to give the right embedding."""
        return self.pad_id is not None

    @property
    def hidden(self) -> int:
        """Width inside an MLP."""
        return self.mlp_hidden or int(self.width * self.mlp_ratio)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        _inside_vocabulary(self)
        if self.pad_id is None and (not self.causal or self.pooling == "last"):
            raise ValueError(
                "a tower that is not causal, or is pooled at the last token, sees the padding: give pad_id"
            )
        if self.pooling == "class" and (not self.causal or self.pad_id is not None):
            raise ValueError("class pooling is for causal towers without a pad_id")
        return self


class HuggingFaceTextConfig(Config):
    """A text tower of the library transformers, such as BERT or XLM-R; it needs the extra `hf`."""

    kind: Literal["huggingface"] = "huggingface"
    model: dict[str, JsonValue]  # transformers' own config.json, with its model_type
    pooling: Literal["class", "mean", "max", "pooler"] = "mean"  # class: the first token; pooler: the model's own head
    projection: Literal["none", "linear", "linear_bias", "mlp"] = "linear"  # mlp: through (D + E) / 2, GELU, no biases
    context_length: PositiveInt = 77  # tokens, start and end included
    vocabulary_size: PositiveInt  # tokens
    end_of_text: int = Field(ge=0)  # id
    pad_id: int = Field(ge=0)  # fills rows; not seen

    @property
    def sees_padding(self) -> bool:
        """Never: padding is masked, so rows may be cut to the longest caption of a batch."""
        return False

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _inside_vocabulary(self)
        if not isinstance(self.model.get("model_type"), str):
            raise ValueError("model has no model_type, which says what transformers is to build")
        return self


def _inside_vocabulary(config: TextTransformerConfig | HuggingFaceTextConfig) -> None:
    for name, token in (("end_of_text", config.end_of_text), ("pad_id", config.pad_id)):
        if token is not None and token >= config.vocabulary_size:
            raise ValueError(f"{name} {token} is outside a vocabulary of {config.vocabulary_size}")


def _text_kind(config: Any) -> Any:
    """Older model folders know but one kind of text tower and do not name it."""
    return config.get("kind", "text_transformer") if isinstance(config, dict) else getattr(config, "kind", None)


ImageConfig = Annotated[
    VisionTransformerConfig | ResNetConfig | ConvNeXtConfig | TimmConfig, Field(discriminator="kind")
]
TextConfig = Annotated[
    Annotated[TextTransformerConfig, Tag("text_transformer")] | Annotated[HuggingFaceTextConfig, Tag("huggingface")],
    Discriminator(_text_kind),
]

# The members of these unions.
IMAGE_TOWERS: tuple[type[Config], ...] = (VisionTransformerConfig, ResNetConfig, ConvNeXtConfig, TimmConfig)
TEXT_TOWERS: tuple[type[Config], ...] = (TextTransformerConfig, HuggingFaceTextConfig)


class CLIPConfig(Config):
    """Two towers that meet in one space of `embedding` dimensions."""

    embedding: PositiveInt = 512
    image: ImageConfig = VisionTransformerConfig()
    text: TextConfig = TextTransformerConfig()
    logit_bias: bool = False  # a learned additive bias, for the sigmoid loss

    @model_validator(mode="after")
    def _meet(self) -> Self:
        image, text = self.image, self.text
        if isinstance(image, VisionTransformerConfig):
            if not image.projection and image.width != self.embedding:
                raise ValueError(f"without a projection the image's width {image.width} must be {self.embedding}")
            if image.pooling == "attention" and self.embedding % (image.pooling_heads or image.heads):
                raise ValueError(f"embedding {self.embedding} is not a multiple of pooling_heads {image.pooling_heads}")
        if isinstance(text, TextTransformerConfig) and text.projection == "none" and text.width != self.embedding:
            raise ValueError(f"without a projection the text's width {text.width} must be {self.embedding}")
        return self
