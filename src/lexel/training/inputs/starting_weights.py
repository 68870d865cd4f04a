"""Where a run begins: from random weights, from those of another model, or from one tower of each."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from lexel.architectures.config import CLIPConfig
from lexel.checkpoints.formats.read import ForeignModel
from lexel.checkpoints.model_folder.folder import fingerprint
from lexel.checkpoints.model_folder.training_pictures import TrainingPictures, union
from lexel.errors import UsageError
from lexel.images import Preprocessing
from lexel.loading import manifest_of, read_model
from lexel.models.clip import CLIP, init_weights
from lexel.models.resize import resized
from lexel.runtimes.torch import build_clip
from lexel.tokenizer import Tokenizer
from lexel.training.loss.sigmoid import first_bias
from lexel.training.recipe import ModelSettings, Recipe

TEMPERATURE = ("logit_scale", "logit_bias")


@dataclass(frozen=True)
class StartingWeights:
    """What a run takes over: the model of each tower, or None for a tower that begins with random weights."""

    image: ForeignModel | None = None
    text: ForeignModel | None = None

    @property
    def is_whole(self) -> bool:
        """Whether both towers come from one model, and with them the temperature of their similarity."""
        return self.image is not None and self.image is self.text

    @property
    def tokenizer(self) -> Tokenizer | None:
        """The text tower's, for its context length; None: to be learned."""
        if self.text is None or self.text.tokenizer is None:
            return None
        return self.text.tokenizer.with_context(self.text.architecture.text.context_length)

    def preprocessing(self, recipe: Recipe, architecture: CLIPConfig) -> Preprocessing:
        """The image tower's own, but for what the recipe says of it."""
        chosen = {"image_size": architecture.image.image_size} | recipe.image.model_dump(exclude_none=True)
        own = self.image.preprocessing if self.image else Preprocessing()
        return own.model_copy(update=chosen)

    def architecture(self, recipe: Recipe, tokenizer: Tokenizer | None = None) -> CLIPConfig:
        """The whole model; without its tokenizer, for a vocabulary of the size that the recipe asks for at most."""
        image, text = self.image and self.image.architecture, self.text and self.text.architecture
        known = image or text
        whole = recipe.model.resolve(
            tokenizer.vocabulary_size if tokenizer else recipe.tokenizer.vocabulary_size,
            tokenizer.end_of_text if tokenizer else 0,
            image=image.image if image else None,
            text=text.text if text else None,
            embedding=known.embedding if known else None,
        )
        has_bias = known.logit_bias if known and self.is_whole else whole.logit_bias
        return whole.model_copy(update={"logit_bias": has_bias or recipe.loss.kind == "sigmoid"})

    def weights(self) -> dict[str, np.ndarray]:
        """What is taken over, under the names of a CLIP's state dict."""
        taken: dict[str, np.ndarray] = {}
        for prefix, model in (("image.", self.image), ("text.", self.text)):
            if model:
                taken |= {name: array for name, array in model.weights.items() if name.startswith(prefix)}
        if self.is_whole and self.image:
            taken |= {name: self.image.weights[name] for name in TEMPERATURE if name in self.image.weights}
        return taken

    @property
    def base(self) -> tuple[str, str] | None:
        """The name and the fingerprint in float32 of the model that both towers come from; None: there is none."""
        if self.image is None or not self.is_whole:
            return None
        manifest = manifest_of(self.image)
        return self.image.name, fingerprint(manifest, manifest.sha256, "float32")

    @property
    def training_pictures(self) -> TrainingPictures | None:
        """The pictures that these models had learned from; None where none of them says so."""
        known = [one.training_pictures for one in (self.image, self.text) if one and one.training_pictures]
        return union(known) if known else None

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits of all that is taken over, weights first; "" when nothing is."""
        if self.image is None and self.text is None:
            return ""
        digest = hashlib.blake2b(digest_size=8)
        hash_arrays(digest, self.weights())
        if self.image:
            digest.update(self.image.architecture.image.model_dump_json().encode())
            digest.update(self.image.preprocessing.model_dump_json().encode())
        if self.text and self.text.tokenizer:
            digest.update(self.text.architecture.text.model_dump_json().encode())
            digest.update(self.text.tokenizer.rules.model_dump_json().encode())
            digest.update(self.text.tokenizer.to_json().encode())
        return digest.hexdigest()


def hash_arrays(digest: "hashlib.blake2b", arrays: Mapping[str, np.ndarray]) -> None:
    """Feed names, number formats, shapes and content, in the order of the names."""
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)


def read_starting_weights(settings: ModelSettings) -> StartingWeights:
    """Read the models that the recipe names and bring them to its sizes.

    Raises UsageError when there is no such model or it cannot be changed so, ModelError when its files are damaged.
    """
    if settings.weights:
        model = _at_size(_read(settings.weights, "weights"), settings)
        _check_has_words(model, "weights")
        return StartingWeights(model, model)
    image = text = None
    if settings.image_weights:
        image = _at_size(_read(settings.image_weights, "image_weights"), settings, text=False)
    if settings.text_weights:
        text = _at_size(_read(settings.text_weights, "text_weights"), settings, image=False)
        _check_has_words(text, "text_weights")
    if image and text and image.architecture.embedding != text.architecture.embedding:
        raise UsageError(
            f"recipe: the towers do not meet: embeddings of model.image_weights ({image.name}) have "
            f"{image.architecture.embedding} dimensions, those of model.text_weights ({text.name}) "
            f"{text.architecture.embedding}.\nLet one of them begin with random weights: leave it out."
        )
    return StartingWeights(image, text)


def first_clip(starting: StartingWeights, architecture: CLIPConfig, recipe: Recipe, device: str) -> CLIP:
    """The CLIP that takes the first step: what is taken over as it is, the rest drawn from the recipe's seed.

    Raises ModelError when the weights do not fit their architecture.
    """
    weights = starting.weights()
    if architecture.logit_bias and "logit_bias" not in weights:
        weights.pop("logit_scale", None)  # of a softmax loss, far too large for a sigmoid's first steps
    if not starting.is_whole or "logit_scale" not in weights:
        clip = CLIP(architecture)
        init_weights(clip, recipe.seed)
        if clip.logit_bias is not None and recipe.loss.kind == "sigmoid":
            clip.logit_bias.data.fill_(first_bias(recipe.batch_size))
        if not weights:
            return clip.to(device)
        weights = {name: tensor.numpy() for name, tensor in clip.state_dict().items()} | weights
    return build_clip(architecture, weights, device)


def _read(origin: str, field: str) -> ForeignModel:
    try:
        return read_model(origin)
    except UsageError as error:
        way_out = "\nWhere a bare file does not say all, make a folder of it that does: lexel models convert FILE OUT"
        is_bare = Path(origin).expanduser().is_file()
        raise UsageError(f"recipe: model.{field}: {error}{way_out if is_bare else ''}") from None


def _check_has_words(model: ForeignModel, field: str) -> None:
    if model.tokenizer is None:
        raise UsageError(
            f"recipe: model.{field}: {model.source} comes without its tokenizer.\n"
            f"Make a whole of it: lexel models convert {model.source} OUT --tokenizer FILE, and give OUT."
        )


def _at_size(model: ForeignModel, settings: ModelSettings, *, image: bool = True, text: bool = True) -> ForeignModel:
    """The model for pictures and captions of the recipe's size; the tower that is not taken stays as it is."""
    try:
        architecture, weights = resized(
            model.architecture,
            model.weights,
            image_size=settings.image.get("image_size") if image else None,
            context_length=settings.text.get("context_length") if text else None,
        )
    except UsageError as error:
        raise UsageError(f"recipe: model of {model.name}: {error}") from None
    return replace(model, architecture=architecture, weights=weights)
