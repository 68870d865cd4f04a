"""A recipe for whoever has pictures and no recipe: `lexel train SOURCE`. It is chosen by how many pairs there are."""

import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from lexel.architectures.config import TextTransformerConfig
from lexel.architectures.zoo.ours import LEXEL
from lexel.data.captions import says_something
from lexel.data.languages import texts_of
from lexel.data.pairs import Source
from lexel.errors import UsageError
from lexel.progress import say
from lexel.training.adaptation.settings import AdaptSettings
from lexel.training.distillation.languages import LanguageSettings
from lexel.training.distillation.settings import DistillSettings
from lexel.training.inputs.input_reader import InputReader
from lexel.training.inputs.starting_weights import StartingWeights
from lexel.training.recipe import DataSettings, ModelSettings, Recipe
from lexel.training.recipe_file import changed
from lexel.training.run.folder import RECIPE

# Up to this many pairs: architecture, batch size, epochs. Small data wants a small model, small batches and many
# epochs; the lengths keep two cores busy for minutes, not hours, up to about fifty thousand pairs.
BY_PAIRS: tuple[tuple[float, str, int, float], ...] = (
    (1_000, "lexel-s", 32, 40),
    (10_000, "lexel-s", 128, 25),
    (100_000, "lexel-s", 256, 10),
    (1_000_000, "lexel-m", 512, 10),
    (float("inf"), "ViT-B-32", 1024, 10),
)
# How Lexel's own towers learn from random weights, in batches of which a step of Muon is a small part: half of the run
# from pictures half as wide (docs/experiments.md has what it gains).
LEAST_MUON_BATCH = 128
MUON: dict[str, Any] = {"kind": "muon", "learning_rate": 2e-3}
SMALL_FIRST: dict[str, Any] = {"size_from": 0.5, "until": 1.0}
# Where a model is fine-tuned: epochs at most, and the learning rate up to this many parameters. Large towers know much
# that a high rate would wipe out; small ones have more to learn than to lose (docs/experiments.md).
FINE_TUNING_EPOCHS = 10
FINE_TUNING_RATES: tuple[tuple[float, float], ...] = ((30e6, 3e-4), (float("inf"), 1e-5))
LORA_RATES: tuple[tuple[float, float], ...] = ((30e6, 3e-3), (float("inf"), 2e-4))  # its products begin at nothing

# Other scripts take more tokens a word, and several languages more words; what a context leaves empty costs nothing.
LANGUAGES_VOCABULARY, LANGUAGES_CONTEXT = 16_384, 64

FEW_PAIRS = 10_000  # with which a model that begins with random weights hardly learns what is general
PUBLISHED_MODEL = "ViT-B-32/openai"  # an example of one to begin from


def find_recipe(described: Recipe | str | Path, changes: Sequence[str], reader: InputReader) -> Recipe:
    """The recipe itself, that of a .toml or .json file, or the default one for a source of pairs, after the changes.

    Raises UsageError, DataError or ModelError.
    """
    if isinstance(described, Recipe):
        if changes:
            return Recipe.build(described.model_dump(mode="json", exclude_none=True), changes)
        return described
    if not isinstance(described, str | Path):
        raise UsageError(
            f"What to train is a Recipe, the path of one, or a source of pairs, such as a folder or a table, not "
            f"{type(described).__name__}."
        )
    if str(described).endswith((".toml", ".json")):
        return Recipe.load(described, changes)
    return default_recipe(str(described), changes, reader)


def default_recipe(source: str, changes: Sequence[str], reader: InputReader) -> Recipe:
    """A sensible recipe for `source`, after the `path.to.field=value` changes, which may name weights to begin from.

    Raises UsageError, DataError or ModelError.
    """
    if (Path(source) / RECIPE).is_file():
        raise UsageError(
            f"{source} is the folder of a run, not a source of pictures.\n"
            f"That run goes on with: lexel train {Path(source) / RECIPE} --output {source}"
        )
    content: dict[str, Any] = {"name": _name(source), "data": {"sources": [{"source": source}]}}
    wanted = changed(content, changes)
    Recipe.check_sections(wanted, source)  # before a large source is read
    model = ModelSettings.model_validate(wanted.get("model", {}))
    data = DataSettings.model_validate(wanted["data"])
    adapt = AdaptSettings.model_validate(wanted["adapt"]) if "adapt" in wanted else None
    if "languages" in wanted:
        languages = LanguageSettings.model_validate(wanted["languages"])
        content |= _for_languages(
            languages, model, [reader.parallel_source(one, data, languages) for one in data.sources], reader
        )
        return Recipe.build(content, changes, where=source)
    distill = DistillSettings.model_validate(wanted["distill"]) if "distill" in wanted else None
    sources = [reader.source(settings, data, text_required=distill is None) for settings in data.sources]
    pairs = sum(len(source.pairs) for source in sources)
    architecture, batch_size, epochs = next(chosen for limit, *chosen in BY_PAIRS if pairs <= limit)
    content |= {"batch_size": min(batch_size, max(2, pairs // 2)), "epochs": epochs}
    if model.image_from and model.text_from:
        content |= {"epochs": min(epochs, FINE_TUNING_EPOCHS)} | _fine_tuning(
            reader.starting_weights(model), LORA_RATES if adapt and adapt.kind == "lora" else FINE_TUNING_RATES
        )
        other_ways = {"adapt", "distill", "languages"} & wanted.keys() or {"image", "text"} & wanted.get(
            "freeze", {}
        ).keys()
        if model.weights and not other_ways:
            content["adapt"] = {"kind": "full"}  # which remembers: without, much is forgotten (docs/fine-tuning.md)
    else:
        content["model"] = {"architecture": architecture}
        if not (model.image_from or model.text_from or distill):
            named = wanted.get("model", {}).get("architecture", architecture)
            content |= _from_random_weights(named, content | wanted)
        if distill and not model.text_from and not any(map(says_something, chain(*(one.pairs for one in sources)))):
            content |= _of_pictures_alone(str(architecture), distill.teacher, reader)
        elif pairs <= FEW_PAIRS and not distill and not source.startswith("scenes:"):
            say(
                f"{pairs:,} pairs are few to learn from with random weights. "
                f"A model that knows much already learns more from them: --from {PUBLISHED_MODEL}"
            )
    return Recipe.build(content, changes, where=source)


def _for_languages(
    languages: LanguageSettings, model: ModelSettings, sources: Sequence[Source], reader: InputReader
) -> dict[str, Any]:
    """A new text tower like the teacher's, with a vocabulary of all the languages."""
    if not model.image_from:
        raise UsageError("languages: which model speaks English, and looks at pictures? Name it: --from MODEL")
    texts = sum(bool(texts_of(pair, one)) for one in languages.columns for source in sources for pair in source.pairs)
    texts += sum(len(source.pairs) for source in sources)
    architecture, batch_size, epochs = next(chosen for limit, *chosen in BY_PAIRS if texts <= limit)
    teacher = reader.starting_weights(model).image
    assert teacher is not None
    content: dict[str, Any] = {
        "batch_size": min(int(batch_size), max(2, texts // 2)),
        "epochs": epochs,
        "freeze": {"image": True},
        "loss": {"kind": "sigmoid" if teacher.architecture.logit_bias else "softmax"},
    }
    if model.text_from:
        return content
    own, words = teacher.architecture.text, {"vocabulary_size", "end_of_text", "context_length"}
    like = own.model_dump(exclude=words) if isinstance(own, TextTransformerConfig) else {}
    return content | {
        "model": {"architecture": architecture, "text": like | {"context_length": LANGUAGES_CONTEXT}},
        "tokenizer": {"vocabulary_size": LANGUAGES_VOCABULARY},
    }


def _of_pictures_alone(architecture: str, teacher: str, reader: InputReader) -> dict[str, Any]:
    """An image tower that learns to stand in for the teacher's, beside the teacher's text tower as it is."""
    model = ModelSettings(architecture=architecture, text_weights=teacher)
    taken = reader.starting_weights(model).text
    has_bias = taken is not None and taken.architecture.logit_bias
    return {
        "model": {"architecture": architecture, "text_weights": teacher},
        "freeze": {"text": True},
        "loss": {"kind": "sigmoid" if has_bias else "softmax"},
    }


def _from_random_weights(architecture: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """How Lexel's own towers learn quickly. `wanted` is the recipe's content with the user's changes."""
    if architecture not in LEXEL or wanted["batch_size"] < LEAST_MUON_BATCH:
        return {}
    asked_for_another = wanted.get("optimizer", {}).get("kind", "muon") != "muon"
    return {"ramp": SMALL_FIRST} | ({} if asked_for_another else {"optimizer": MUON})


def _fine_tuning(starting: StartingWeights, rates: tuple[tuple[float, float], ...]) -> dict[str, Any]:
    """The learning rate that the model's size wants, and the loss that it was trained with."""
    weights = starting.weights()
    parameters = sum(array.size for array in weights.values())
    rate = next(rate for limit, rate in rates if parameters <= limit)
    return {
        "optimizer": {"learning_rate": rate},
        "loss": {"kind": "sigmoid" if "logit_bias" in weights else "softmax"},
    }


def _name(source: str) -> str:
    """A name for the run: the last part of the source that says something."""
    words = [re.sub(r"[^\w.-]+", "-", part).strip("-.") for part in source.replace(":", "-").split("/")]
    naming = [word for word in words if word and word not in {"train", "images", "data"}]
    return Path(naming[-1]).stem if naming else "run"
