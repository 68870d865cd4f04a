"""A training run, wholly described: read from TOML, changed by `--set`, saved resolved in the run folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, TypeAdapter, ValidationError, model_validator

from lexel.architectures.config import CLIPConfig, ImageConfig, TextConfig
from lexel.architectures.zoo import architecture
from lexel.config import Config
from lexel.data.augment import Augmentation
from lexel.data.readers.column_settings import CaptionNames
from lexel.errors import UsageError, did_you_mean
from lexel.training.adaptation.settings import AdaptSettings, GuardSettings
from lexel.training.distillation.languages import LanguageSettings
from lexel.training.distillation.settings import DistillSettings
from lexel.training.distributed.sharding import ParallelSettings
from lexel.training.engine import EngineSettings, MicroBatch
from lexel.training.loss.settings import LossSettings
from lexel.training.optimization.average import AverageSettings
from lexel.training.optimization.freezing import SMALL_BATCH, FreezeSettings
from lexel.training.optimization.optimizer import OptimizerSettings
from lexel.training.optimization.schedule import Schedule
from lexel.training.ramp import Ramp
from lexel.training.recipe_errors import explain
from lexel.training.recipe_file import changed, read_recipe_file
from lexel.training.snapshots import SnapshotSettings

# What may be changed in a tower that comes with its weights: they keep their shapes, or are stretched to the new size.
CHANGEABLE: dict[str, tuple[str, ...]] = {
    "image": ("image_size", "patch_dropout"),
    "text": ("context_length",),
}


class ModelSettings(Config):
    """Where the towers come from: with random weights after a named architecture, or taken over from another model."""

    architecture: str | None = None  # of towers that begin with random weights: see lexel models list; default lexel-s
    weights: str | None = None  # both towers of this model: a folder, a file, ViT-B-32/openai, hf:organisation/name
    image_weights: str | None = None  # the image tower of this model; the text tower begins with random weights
    text_weights: str | None = None  # the text tower of this model; the image tower begins with random weights
    embedding: PositiveInt | None = None  # dimensions of the shared space; default: as the architecture has
    image: dict[str, Any] = Field(default_factory=dict)  # what is changed in the image tower, such as depth = 8
    text: dict[str, Any] = Field(default_factory=dict)  # what is changed in the text tower

    @property
    def image_from(self) -> str | None:
        """The model that the image tower is taken over from; None: it begins with random weights."""
        return self.weights or self.image_weights

    @property
    def text_from(self) -> str | None:
        """The model that the text tower is taken over from; None: it begins with random weights."""
        return self.weights or self.text_weights

    @model_validator(mode="before")
    @classmethod
    def _choose_architecture(cls, content: Any) -> Any:
        if not isinstance(content, dict) or content.get("architecture"):
            return content
        image, text = (content.get("weights") or content.get(f"{tower}_weights") for tower in ("image", "text"))
        return content if image and text else content | {"architecture": "lexel-s"}

    @model_validator(mode="after")
    def _says_what_is_taken_over(self) -> Self:
        if self.weights and (self.image_weights or self.text_weights):
            raise ValueError("weights brings both towers: leave image_weights and text_weights out")
        if self.image_from and self.text_from and self.architecture:
            raise ValueError(f"both towers come with their weights: leave architecture = {self.architecture!r} out")
        if (self.image_from or self.text_from) and self.embedding:
            raise ValueError(f"the embedding comes with the weights: leave embedding = {self.embedding} out")
        for tower, origin in (("image", self.image_from), ("text", self.text_from)):
            for field in getattr(self, tower) if origin else ():
                if field not in CHANGEABLE[tower]:
                    raise ValueError(
                        f"{tower}.{field} comes with the weights. To be changed here: {', '.join(CHANGEABLE[tower])}"
                    )
        return self

    def resolve(
        self,
        vocabulary_size: int,
        end_of_text: int,
        *,
        image: ImageConfig | None = None,
        text: TextConfig | None = None,
        embedding: int | None = None,
    ) -> CLIPConfig:
        """The whole configuration, for this vocabulary. `image` and `text` are towers taken over, which meet in
        `embedding` dimensions."""
        base = architecture(self.architecture).model_dump() if self.architecture else {}
        words = {"vocabulary_size": vocabulary_size, "end_of_text": end_of_text}
        base["image"] = (image.model_dump() if image else base["image"]) | self.image
        base["text"] = text.model_dump() | self.text if text else base["text"] | self.text | words
        base["embedding"] = embedding or self.embedding or base["embedding"]
        try:
            return CLIPConfig.model_validate(base)
        except ValidationError as error:
            raise UsageError(f"recipe: model.{explain(error, CLIPConfig)}") from None


class SourceSettings(Config):
    """One source of pairs."""

    source: str  # a folder, a table, shards, scenes:N or mix:0.7*A,0.3*B; /val at its end takes that split
    weight: PositiveFloat = 1.0  # passes over it in an epoch
    templates: str | tuple[str, ...] | None = None  # that make captions of labels; default: those of [data]
    label_share: float = Field(default=0.0, ge=0, le=1)  # how often a pair that has both shows its label, not a caption
    caption: CaptionNames = None  # where captions come from; default: as in [data]
    label: str | None = None  # column of the labels; default: as in [data]
    image: str | None = None  # column of the pictures; default: as in [data]
    encoding: str | None = None  # of a table of text, such as gb18030; default: as in [data]


class DataSettings(Config):
    """What to learn from. The settings here hold for every source that does not set its own."""

    sources: tuple[SourceSettings, ...] = Field(min_length=1)
    templates: str | tuple[str, ...] = "photo"  # that make captions of labels: the name of a set, or sentences with {}
    caption: CaptionNames = None
    # column of the captions, several of them, or templates such as "{colour} {title}"; with weights a table,
    # {title = 0.7, description = 0.3}; default: found by their names
    label: str | None = None  # column of the labels; default: found by its name
    image: str | None = None  # column of the pictures; default: found by its name
    encoding: str | None = None  # of tables of text, such as gb18030 or cp1251; default: found from their bytes
    max_bad_share: float = Field(default=0.05, ge=0, le=1)  # of pictures that cannot be read: beyond it the run stops
    workers: int = Field(
        default=1, ge=0
    )  # processes that make batches (0: the training process itself); changes speed only
    decoded_cache_gb: float = Field(
        default=0.0, ge=0
    )  # decoded pictures that are kept in memory for later epochs, in GB; changes speed only
    decoded_cache_folder: str | None = None  # keep them there instead, on a quick disk; default: in memory


class TokenizerSettings(Config):
    """The vocabulary, learned from the captions."""

    vocabulary_size: PositiveInt = 8192  # tokens at most; few captions may give fewer


class ImageSettings(Config):
    """How pictures are fitted to the image tower, in training and ever after."""

    resize: Literal["shortest", "squash", "pad"] | None = (
        None  # pictures that are not square: crop, distort or pad; default: as the weights had it, else shortest
    )


class EvaluationSettings(Config):
    """What is measured during the run, and at its end."""

    source: str | None = (
        None  # pairs to measure on; default: the val split of the training source, else pairs held out of it
    )
    holdout: float = Field(default=0.05, gt=0, lt=1)  # share of the pairs that are held out where there is no val split
    times: PositiveInt = 4  # number of evaluations during the run, the last at its end
    templates: str | tuple[str, ...] | None = None  # that labels are shown in; default: those of [data]


class Recipe(Config):
    """All that decides the weights that come out, and how the run is watched.

    Example:
        recipe = lexel.Recipe.load("recipe.toml", ["epochs=5", "optimizer.learning_rate=5e-4"])
        lexel.train(recipe, "runs/shop")
    """

    name: str = Field(default="run", pattern=r"^[\w.-]+$")  # of the run; that of the recipe's file where it says none
    seed: int = Field(default=0, ge=0)  # of all that is random
    epochs: PositiveFloat | None = None  # passes over the data; give epochs or steps
    steps: PositiveInt | None = None  # of the optimizer; give steps or epochs
    batch_size: int = Field(default=256, ge=2)  # pairs in a step, of all processes; each other pair is a negative
    micro_batch: MicroBatch = "auto"  # pairs that a process takes through the towers at a time; auto: as many as fit
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # of products; auto: bfloat16 where that is fast
    device: str | None = None  # torch's name, such as cuda:1; default: a GPU where there is one
    data: DataSettings
    model: ModelSettings = ModelSettings()
    tokenizer: TokenizerSettings = TokenizerSettings()
    image: ImageSettings = ImageSettings()
    adapt: AdaptSettings | None = None
    distill: DistillSettings | None = None
    languages: LanguageSettings | None = None
    guard: GuardSettings = GuardSettings()
    freeze: FreezeSettings = FreezeSettings()
    augmentation: Augmentation = Augmentation()
    loss: LossSettings = LossSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    average: AverageSettings = AverageSettings()
    schedule: Schedule = Schedule()
    ramp: Ramp = Ramp()
    engine: EngineSettings = EngineSettings()
    parallel: ParallelSettings = ParallelSettings()
    snapshot: SnapshotSettings = SnapshotSettings()
    evaluation: EvaluationSettings = EvaluationSettings()

    @model_validator(mode="after")
    def _has_a_length_and_a_model(self) -> Self:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give either epochs or steps")
        if self.model.image_from is None and self.model.text_from is None:
            self.ramp.check(self.architecture().image)
        return self

    @model_validator(mode="after")
    def _learns_languages_beside_a_frozen_image_tower(self) -> Self:
        if self.languages is None:
            return self
        if not self.model.image_from or not self.freeze.image:
            raise ValueError(
                "languages: the image tower of the model that speaks English stays as it is: give "
                "model.image_weights, and freeze.image = true"
            )
        if self.distill or self.adapt:
            raise ValueError(
                f"languages: leave [{'distill' if self.distill else 'adapt'}] out, the teacher is the model itself"
            )
        return self

    @model_validator(mode="after")
    def _has_what_it_adapts(self) -> Self:
        if self.guard.sources and self.model.weights is None:
            raise ValueError("guard: a guard watches what a model knew before. Name that model: model.weights")
        if len(set(self.guard.sources)) < len(self.guard.sources):
            raise ValueError("guard.sources: a guard is there twice")
        if self.adapt is None:
            return self
        if self.model.weights is None:
            raise ValueError("adapt: there is no model to adapt. Name it: --from MODEL, or model.weights")
        if self.remember and (self.freeze.image or self.freeze.text):
            raise ValueError("adapt.remember: a frozen tower forgets nothing: leave [freeze] out, or set remember to 0")
        if self.frozen.image and self.frozen.text:
            raise ValueError("adapt: with both towers frozen nothing is left to learn")
        if self.adapt.kind == "lora":
            self._fits_lora(self.adapt)
        return self

    @property
    def teacher(self) -> str | None:
        """The model whose embeddings are matched."""
        if self.languages:
            return self.model.image_from
        return self.distill.teacher if self.distill else None

    @model_validator(mode="after")
    def _has_one_model_to_be_near(self) -> Self:
        if self.distill and self.remember:
            raise ValueError(
                "distill: embeddings are held near one other model, the teacher or the start: set adapt.remember = 0, "
                "or leave [distill] out"
            )
        return self

    def _fits_lora(self, adapt: AdaptSettings) -> None:
        if self.freeze.image or self.freeze.text:
            raise ValueError("adapt: LoRA freezes what it does not name: set adapt.towers, and leave [freeze] out")
        if self.model.image.get("image_size") or self.model.text.get("context_length"):
            raise ValueError("adapt: an adapter fits the model as it is: leave the sizes in [model] out")
        if self.parallel.shard != "none":
            raise ValueError("adapt: LoRA's products are not sharded: leave parallel.shard out")
        if adapt.dropout and self.engine.checkpoint_activations:
            raise ValueError("adapt.dropout: activations that are computed again would drop others: choose one of both")

    @model_validator(mode="after")
    def _starts_from_what_it_freezes(self) -> Self:
        if self.model.text_from and self.tokenizer != TokenizerSettings():
            raise ValueError("the tokenizer comes with the weights of the text tower: leave [tokenizer] out")
        for tower, origin in (("image", self.model.image_from), ("text", self.model.text_from)):
            if getattr(self.frozen, tower) and origin is None:
                raise ValueError(
                    f"freeze.{tower}: the {tower} tower begins with random weights, so it must learn. Give it weights: "
                    f"model.weights or model.{tower}_weights"
                )
        if self.freeze.statistics is True and self.model.image_from is None:
            raise ValueError("freeze.statistics: random weights have no statistics to keep: leave it out")
        if self.frozen.image and self.ramp != Ramp():
            raise ValueError("ramp: a frozen image tower has nothing to learn from small pictures: leave [ramp] out")
        return self

    @property
    def frozen(self) -> FreezeSettings:
        """What is frozen, by `freeze` or because of `adapt`."""
        return self.freeze.model_copy(update=self.adapt.frozen() if self.adapt else {})

    @property
    def remember(self) -> float:
        """The weight of the term that keeps embeddings near those of the starting model; 0: there is none."""
        return self.adapt.remember_weight if self.adapt else 0.0

    @property
    def keeps_statistics(self) -> bool:
        """Whether BatchNorm normalises with the running statistics of the starting model while its tower learns."""
        wanted = self.freeze.statistics
        if wanted != "auto":
            return wanted
        # Those of a batch would give other embeddings than the start has, before any weight has moved.
        return self.model.image_from is not None and (self.batch_size < SMALL_BATCH or self.remember > 0)

    @property
    def lora(self) -> AdaptSettings | None:
        """The settings of LoRA, where it is what learns."""
        return self.adapt if self.adapt and self.adapt.kind == "lora" else None

    @classmethod
    def load(cls, path: str | Path, changes: Sequence[str] = ()) -> "Recipe":
        """Read a recipe from TOML (or a run folder's recipe.json) and apply `path.to.field=value` changes to it.

        Raises UsageError that names the key at fault and the nearest known one.
        """
        path = Path(path)
        return cls.build({"name": path.stem} | read_recipe_file(path), changes, str(path))

    @classmethod
    def build(cls, content: Mapping[str, Any], changes: Sequence[str] = (), where: str = "recipe") -> "Recipe":
        """Validate `content` after the `path.to.field=value` changes. `where` heads the error messages."""
        try:
            return cls.model_validate(changed(content, changes))
        except ValidationError as error:
            raise UsageError(f"{where}: {explain(error, cls)}") from None

    @classmethod
    def check_sections(cls, content: Mapping[str, Any], where: str) -> None:
        """Raise UsageError for the first key or section that is wrong whatever the others are."""
        for name, value in content.items():
            if name not in cls.model_fields:
                known = list(cls.model_fields)
                hint = did_you_mean(name, known) or f" Known here: {', '.join(known)}."
                raise UsageError(f"{where}: {name} is not a known key.{hint}")
            field = cls.model_fields[name]
            kind: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
            try:
                TypeAdapter(kind).validate_python(value)
            except ValidationError as error:
                raise UsageError(f"{where}: {explain(error, cls, (name,))}") from None

    def architecture(self, vocabulary_size: int | None = None, end_of_text: int = 0) -> CLIPConfig:
        """The model for a vocabulary of this size; without one, of the size that the recipe asks for at most.

        For a recipe that takes no weights over; `lexel.training.inputs.starting_weights` knows the others.
        """
        config = self.model.resolve(vocabulary_size or self.tokenizer.vocabulary_size, end_of_text)
        return config.model_copy(update={"logit_bias": config.logit_bias or self.loss.kind == "sigmoid"})

    def total_steps(self, epoch_size: int) -> int:
        """Steps of the run, when an epoch has `epoch_size` samples."""
        return self.steps or max(1, round((self.epochs or 0) * epoch_size / self.batch_size))

    def decisive(self) -> dict[str, Any]:
        """The part of the recipe that decides the weights: two runs that agree in it are the same run."""
        content = self.model_dump(mode="json", exclude={"snapshot", "parallel", "micro_batch"})
        of_data = ("workers", "max_bad_share", "decoded_cache_gb", "decoded_cache_folder")
        of_speed = (("data", of_data), ("engine", ("checkpoint_activations",)))
        for section, watched in (*of_speed, ("evaluation", ("times", "templates"))):
            for field in watched:
                del content[section][field]
        if self.model.image_from is None:
            content["image"]["resize"] = self.image.resize or "shortest"  # the default, stated or not
        return content
