"""A training run, wholly described: read from TOML, changed by `--set`, saved resolved in the run folder."""

import copy
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from lexel.config import Config
from lexel.data.augment import Augmentation
from lexel.errors import UsageError, did_you_mean
from lexel.images import Preprocessing
from lexel.models.config import (
    CLIPConfig,
    ConvNeXtConfig,
    HuggingFaceTextConfig,
    ResNetConfig,
    TextTransformerConfig,
    TimmConfig,
    VisionTransformerConfig,
)
from lexel.models.zoo import architecture
from lexel.training.optimizer import OptimizerSettings
from lexel.training.schedule import Schedule
from lexel.training.snapshot import SnapshotSettings

# How pydantic names the members of the unions of towers in the path of an error.
TAGS: dict[str | int, type[BaseModel]] = {
    "vision_transformer": VisionTransformerConfig,
    "resnet": ResNetConfig,
    "convnext": ConvNeXtConfig,
    "timm": TimmConfig,
    "text_transformer": TextTransformerConfig,
    "huggingface": HuggingFaceTextConfig,
}


class ModelSettings(Config):
    """A named architecture, and what is changed in it."""

    architecture: str = "lexel-s"
    embedding: PositiveInt | None = None
    image: dict[str, Any] = Field(default_factory=dict)  # fields of the image tower, such as depth = 8
    text: dict[str, Any] = Field(default_factory=dict)  # fields of the text tower

    def resolve(self, vocabulary_size: int, end_of_text: int) -> CLIPConfig:
        """The whole configuration, for this vocabulary."""
        base = architecture(self.architecture).model_dump()
        base["image"] |= self.image
        base["text"] |= self.text | {"vocabulary_size": vocabulary_size, "end_of_text": end_of_text}
        base["embedding"] = self.embedding or base["embedding"]
        try:
            return CLIPConfig.model_validate(base)
        except ValidationError as error:
            raise UsageError(f"recipe: model.{_explain(error, CLIPConfig)}") from None


class SourceSettings(Config):
    """One source of pairs."""

    source: str
    weight: PositiveFloat = 1.0  # passes over it in an epoch
    templates: str | tuple[str, ...] | None = None  # that make captions of bare labels; None: those of [data]
    label_share: float = Field(default=0.0, ge=0, le=1)  # how often a pair with both shows its label, not a caption
    caption: str | None = None  # column names where they cannot be told; None: those of [data]
    label: str | None = None
    image: str | None = None


class DataSettings(Config):
    """What to learn from. The settings here hold for every source that does not set its own."""

    sources: tuple[SourceSettings, ...] = Field(min_length=1)
    templates: str | tuple[str, ...] = "photo"
    caption: str | None = None
    label: str | None = None
    image: str | None = None
    max_bad_share: float = Field(default=0.05, ge=0, le=1)  # of pictures that cannot be read, before the run stops
    workers: int = Field(default=1, ge=0)  # processes that make batches; changes speed only


class TokenizerSettings(Config):
    """The vocabulary, learned from the captions."""

    vocabulary_size: PositiveInt = 8192


class ImageSettings(Config):
    """How pictures are fitted to the image tower, in training and ever after."""

    resize: Literal["shortest", "squash", "pad"] = "shortest"


class EvaluationSettings(Config):
    """What is measured during the run, and at its end."""

    source: str | None = None  # None: the training source's own val split, else pairs held out of it
    holdout: float = Field(default=0.05, gt=0, lt=1)  # share of the pairs held out where there is no val split
    times: PositiveInt = 4  # evaluations over the run, the last at its end
    templates: str | tuple[str, ...] | None = None  # for labels; None: those of [data]


class Recipe(Config):
    """All that decides the weights that come out, and how the run is watched."""

    name: str = Field(default="run", pattern=r"^[\w.-]+$")
    seed: int = Field(default=0, ge=0)
    epochs: PositiveFloat | None = None  # passes over the data; give this or steps
    steps: PositiveInt | None = None
    batch_size: int = Field(default=256, ge=2)  # every other sample is a negative
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    device: str | None = None  # torch's name; None: a GPU when there is one
    data: DataSettings
    model: ModelSettings = ModelSettings()
    tokenizer: TokenizerSettings = TokenizerSettings()
    image: ImageSettings = ImageSettings()
    augmentation: Augmentation = Augmentation()
    optimizer: OptimizerSettings = OptimizerSettings()
    schedule: Schedule = Schedule()
    snapshot: SnapshotSettings = SnapshotSettings()
    evaluation: EvaluationSettings = EvaluationSettings()

    @model_validator(mode="after")
    def _has_a_length_and_a_model(self) -> Self:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give either epochs or steps")
        self.architecture()
        return self

    @classmethod
    def load(cls, path: str | Path, changes: Sequence[str] = ()) -> "Recipe":
        """Read a recipe from TOML (or a run folder's recipe.json) and apply `path.to.field=value` changes to it.

        Raises UsageError that names the key at fault and the nearest known one.
        """
        path = Path(path)
        return cls.build({"name": path.stem} | _read(path), changes, str(path))

    @classmethod
    def build(cls, content: Mapping[str, Any], changes: Sequence[str] = (), where: str = "recipe") -> "Recipe":
        """Validate `content` after the `path.to.field=value` changes. `where` heads the error messages."""
        content = copy.deepcopy(dict(content))
        for change in changes:
            _apply(content, change)
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise UsageError(f"{where}: {_explain(error, cls)}") from None

    def preprocessing(self) -> Preprocessing:
        return Preprocessing(image_size=self.architecture().image.image_size, resize=self.image.resize)

    def architecture(self, vocabulary_size: int | None = None, end_of_text: int = 0) -> CLIPConfig:
        """The model for a vocabulary of this size; without one, of the size that the recipe asks for at most."""
        return self.model.resolve(vocabulary_size or self.tokenizer.vocabulary_size, end_of_text)

    def total_steps(self, epoch_size: int) -> int:
        """Steps of the run, when an epoch has `epoch_size` samples."""
        return self.steps or max(1, round((self.epochs or 0) * epoch_size / self.batch_size))

    def decisive(self) -> dict[str, Any]:
        """The part of the recipe that decides the weights: two runs that agree in it are the same run."""
        content = self.model_dump(mode="json", exclude={"snapshot"})
        for section, watched in (("data", ("workers", "max_bad_share")), ("evaluation", ("times", "templates"))):
            for field in watched:
                del content[section][field]
        return content


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        near = (
            did_you_mean(path.name, [file.name for file in path.parent.glob("*.toml")]) if path.parent.is_dir() else ""
        )
        raise UsageError(f'No recipe at "{path}".{near}')
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        raise UsageError(f"{path} is not a readable recipe: {error}") from None


def _apply(content: dict[str, Any], change: str) -> None:
    """Set one `path.to.field=value`; the value is read as TOML, or else taken as the text that it is."""
    path, equals, text = change.partition("=")
    if not equals or not path.strip():
        raise UsageError(f'--set takes path.to.field=value, such as optimizer.learning_rate=0.001, not "{change}".')
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, field = path.strip().split(".")
    section: Any = content
    for depth, parent in enumerate(parents):
        section = _enter(section, parent, ".".join(parents[:depth]), change)
    if not isinstance(section, dict):
        raise UsageError(f"--set {change}: name one of the list by its number, such as {'.'.join(parents)}.0.{field}.")
    section[field] = value
    if path.strip() in {"steps", "epochs"}:  # the last word decides the length
        content.pop({"steps": "epochs", "epochs": "steps"}[path.strip()], None)


def _enter(section: Any, name: str, path: str, change: str) -> Any:
    """The section `name` within `section`, which is made when it is not there yet."""
    if isinstance(section, list) and name.isdigit():
        if int(name) >= len(section):
            raise UsageError(f"--set {change}: {path} has {len(section)} entries, counted from 0.")
        found = section[int(name)]
    else:
        found = section.setdefault(name, {}) if isinstance(section, dict) else None
    if isinstance(section, list) and found is None:
        raise UsageError(f"--set {change}: name one of the list by its number, such as {path}.0.{name}.")
    if not isinstance(found, (dict, list)):
        raise UsageError(f'--set {change}: "{name}" is a value and has no fields.')
    return found


def _explain(error: ValidationError, root: type[BaseModel]) -> str:
    """The first thing wrong, in one line."""
    first = error.errors()[0]
    path = [part for part in first["loc"] if part not in TAGS]
    where = ".".join(map(str, path))
    if first["type"] == "extra_forbidden":
        known = _fields(root, first["loc"][:-1])
        hint = did_you_mean(str(path[-1]), known) or f" Known here: {', '.join(known)}."
        return f"{where} is not a known key.{hint}"
    message = first["msg"].removeprefix("Value error, ")
    given = f", not {first['input']!r}" if not isinstance(first["input"], (dict, list)) else ""
    return f"{where}: {message}{given}" if where else message


def _fields(section: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """The names that are known at `path` below `section`."""
    for part in path:
        if part in TAGS:
            section = TAGS[part]
        elif isinstance(part, str):
            section = next(model for model in _models(section.model_fields[part].annotation))
    return list(section.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
