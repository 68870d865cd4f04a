"""Training a painter: the prior first, which takes a minute or two, then the decoder.

Both go on where they were cut off when the same call is made again, and end in the same weights, bit for bit.
"""

import shutil
from pathlib import Path
from typing import Any

import torch

from lexel.data.pairs import Source
from lexel.encoder import Encoder
from lexel.errors import UsageError
from lexel.evaluation.evaluation_cache import EvaluationCache
from lexel.evaluation.texts.long_texts import about_cut_texts
from lexel.files import make_folder
from lexel.generation.learning.embeddings import EmbeddedPairs, embed_pairs
from lexel.generation.learning.folder import SNAPSHOTS
from lexel.generation.learning.learn import Learner, Trained, learn
from lexel.generation.learning.settings import LearningSettings
from lexel.generation.pictures.decoder import Decoder, DecoderSettings
from lexel.generation.pictures.folder import (
    DECODER,
    DESCRIPTION,
    LEARNING,
    PRIOR,
    PainterFacts,
    PainterModel,
    check_clip,
    read_facts,
    write_painter,
)
from lexel.generation.pictures.learners import DecoderLearner, PriorLearner, pictures_at
from lexel.generation.pictures.prior import Prior, PriorSettings
from lexel.generation.pictures.recipe import PainterRecipe
from lexel.progress import duration, say

PICTURES = "pictures.safetensors"


def train_painter(
    encoder: Encoder,
    source: Source,
    output: Path,
    recipe: PainterRecipe | None = None,
    *,
    cache: EvaluationCache | None = None,
    device: str | None = None,
) -> PainterFacts:
    """Train prior and decoder for `encoder` on the pairs of `source`, into the folder `output`.

    Raises UsageError where the folder holds something else, DataError for a source without captions, and
    InterruptedRunError after Ctrl-C, with all saved.
    """
    recipe = recipe or PainterRecipe()
    _check_output(output, encoder, recipe)
    data = embed_pairs(encoder, source, cache, recipe.templates)
    identity = data.fingerprint()
    if (output / DESCRIPTION).is_file():
        return _finished(output, identity)
    if cut := about_cut_texts(encoder, data.texts, "captions"):
        say(f"Note: {cut}")
    make_folder(output)
    learning, dimensions = output / LEARNING, data.pictures.shape[1]
    pictures = pictures_at(recipe.decoder.size, encoder, data.pairs, learning / PICTURES, identity)

    known = {"clip": encoder.fingerprint, "data": identity}
    prior, prior_learned = _learn_prior(recipe, data, dimensions, learning, known, device)
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        decoder = Decoder(recipe.decoder, dimensions)
    settings = _settings(recipe, recipe.decoder_learning, device)
    learner = DecoderLearner(decoder, pictures, data.pictures, settings.batch_size, settings.seed)
    decoder_learned = _learn("decoder", learner, recipe.decoder, learning, settings, known)

    facts = PainterFacts(
        clip=PainterModel.of(encoder),
        dimensions=dimensions,
        recipe=recipe,
        source=source.name,
        pairs=len(data.pairs),
        data=identity,
        seconds={"prior": prior_learned.seconds, "decoder": decoder_learned.seconds},
        loss={"prior": prior_learned.loss, "decoder": decoder_learned.loss},
        sha256={},
    )
    write_painter(output, facts, prior, decoder)
    (learning / PICTURES).unlink(missing_ok=True)
    for part in ("prior", "decoder"):
        shutil.rmtree(learning / part / SNAPSHOTS, ignore_errors=True)
    return read_facts(output)


def _learn_prior(
    recipe: PainterRecipe,
    data: EmbeddedPairs,
    dimensions: int,
    learning: Path,
    known: dict[str, Any],
    device: str | None,
) -> tuple[Prior, Trained]:
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        prior = Prior(recipe.prior, dimensions)
    settings = _settings(recipe, recipe.prior_learning, device)
    learner = PriorLearner(prior, data, settings.batch_size, settings.seed)
    return prior, _learn("prior", learner, recipe.prior, learning, settings, known)


def _learn(
    part: str,
    learner: Learner,
    shape: PriorSettings | DecoderSettings,
    learning: Path,
    settings: LearningSettings,
    known: dict[str, Any],
) -> Trained:
    count = sum(value.numel() for value in learner.model.parameters())
    say(f"Training the {part}: {settings.steps:,} steps of {settings.batch_size}, {count:,} parameters")
    learned = learn(learner, learning / part, settings, known | {"part": part, "shape": shape.model_dump(mode="json")})
    say(f"The {part} has learned for {duration(learned.seconds)}.")
    return learned


def _settings(recipe: PainterRecipe, settings: LearningSettings, device: str | None) -> LearningSettings:
    """The part's settings, with the painter's seed unless it has its own."""
    return settings.model_copy(update={"seed": settings.seed or recipe.seed, "device": device or settings.device})


def _check_output(output: Path, encoder: Encoder, recipe: PainterRecipe) -> None:
    """Raise UsageError, before any work, where something else is at `output`."""
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output} is a file. Give another --output.")
    if (output / DESCRIPTION).is_file():
        facts = read_facts(output)
        check_clip(output, facts.clip, encoder)
        if facts.recipe != recipe:
            raise UsageError(f"{output} holds a painter that was trained with other settings. Give another --output.")
    elif {entry.name for entry in output.glob("[!.]*")} - {PRIOR, DECODER, LEARNING}:
        raise UsageError(f"{output} holds something else than a painter. Give another --output.")


def _finished(output: Path, identity: str) -> PainterFacts:
    facts = read_facts(output)
    if facts.data != identity:
        raise UsageError(f"{output} holds a painter that learned from other pairs. Give another --output.")
    say(f"{output} is finished already.")
    return facts
