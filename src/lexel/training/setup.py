"""Before the first step: what the recipe names is read, the first weights are there, and a cut-off run is taken up."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch

from lexel.architectures.config import CLIPConfig
from lexel.batches import ceil_div
from lexel.data.loader import order_of
from lexel.data.pairs import Source
from lexel.errors import LexelError, UsageError
from lexel.models.clip import CLIP
from lexel.progress import say
from lexel.terminal import counted
from lexel.tokenizer import Tokenizer
from lexel.training.adaptation.lora import add_adapters
from lexel.training.distillation.teacher_map import add_teacher_map
from lexel.training.distributed.sharding import shard_towers
from lexel.training.distributed.shared_encoder import SharedEncoder
from lexel.training.distributed.world import World
from lexel.training.guards import read_guards
from lexel.training.inputs.embedding_cache import embed_pictures, embed_texts
from lexel.training.inputs.input_reader import InputReader
from lexel.training.inputs.parallel_data import ask_teacher_for_english, by_language
from lexel.training.inputs.remembered import Remembered, RememberedData, read_remembered
from lexel.training.inputs.starting_weights import first_clip
from lexel.training.inputs.teacher import TEACHER, HeldOutByTeacher, ask_teacher, facts_of, load_teacher
from lexel.training.inputs.training_data import TrainingData, gather, say_truncated, train_tokenizer
from lexel.training.optimization.freezing import freeze
from lexel.training.optimization.optimizer import Optimizer
from lexel.training.precision import precision_on
from lexel.training.recipe import Recipe
from lexel.training.run.folder import RunFolder
from lexel.training.run_inputs import RunInputs, live_encoder
from lexel.training.snapshots import Snapshot, newest_snapshot
from lexel.training.step.micro_batch import check_batch_norm
from lexel.training.step.remembering import first_model


@dataclass
class Material:
    """What the recipe names, read and found to fit together, while nothing is written yet."""

    training_data: TrainingData
    tokenizer: Tokenizer
    guards: list[Source]
    remembered: RememberedData | None
    teacher: SharedEncoder | None = None  # until `set_up` has asked it


def read_material(recipe: Recipe, world: World, reader: InputReader) -> Material:
    """Read the sources, the guards and the model to begin from, and learn the vocabulary where none comes with it.

    What the reader has read already is not read again. Raises UsageError, DataError or ModelError.
    """
    teacher = load_teacher(recipe.teacher, world) if recipe.teacher else None
    material = world.once(lambda: _read(recipe, world.size, reader))
    material.teacher = teacher
    return material


def set_up(recipe: Recipe, folder: RunFolder, world: World, material: Material, reader: InputReader) -> RunInputs:
    """Draw the first weights, or take over those that the reader has read, and compute what is computed once.

    Afterwards neither the reader nor the material holds a model. Raises UsageError or ModelError.
    """
    training_data, tokenizer, teacher = material.training_data, material.tokenizer, material.teacher
    material.teacher = None
    starting = world.once(lambda: reader.starting_weights(recipe.model))
    reader.forget()
    architecture = starting.architecture(recipe, tokenizer)
    sharded = recipe.parallel.shard == "towers" and world.size > 1
    clip = first_clip(starting, architecture, recipe, "cpu" if sharded else str(world.device))
    choose_what_learns(clip, recipe)
    if sharded:
        shard_towers(clip, world.device, precision_on(world.device, recipe.precision))
    if teacher:
        _take_over_from(teacher, clip, recipe, training_data)
    order = order_of(training_data.sources, recipe.seed)
    preprocessing = starting.preprocessing(recipe, architecture)
    inputs = RunInputs(
        recipe=recipe,
        folder=folder,
        world=world,
        training_data=training_data,
        tokenizer=tokenizer,
        preprocessing=preprocessing,
        clip=clip,
        order=order,
        origin=starting.fingerprint,
        origin_pictures=starting.training_pictures,
        base=starting.base if recipe.lora else None,
        teacher=facts_of(teacher) if teacher else None,
    )
    say(
        f"Training {recipe.name}: {counted(training_data.pairs, 'pair')}, {counted(inputs.steps, 'step')} of "
        f"{recipe.batch_size} "
        f"({inputs.steps * recipe.batch_size / order.epoch_size:.1f} epochs), "
        f"{_parameters(clip)}, on {world}, into {folder.path}"
    )
    inputs = _with_embeddings(inputs)
    if recipe.remember:
        data = material.remembered
        remembered = Remembered(data, order_of(data.sources, recipe.seed)) if data else None
        inputs = replace(inputs, first=first_model(clip), remembered=remembered)
    return _with_teacher(inputs, teacher) if teacher else inputs


def choose_what_learns(clip: CLIP, recipe: Recipe) -> None:
    """Freeze what the recipe wants frozen and put LoRA's products where it wants them. Raises UsageError."""
    freeze(clip, recipe.frozen, keeps_statistics=recipe.keeps_statistics)
    if recipe.lora:
        add_adapters(clip, recipe.lora, recipe.seed)


def _parameters(clip: CLIP) -> str:
    """How many there are and, where a tower is frozen, how many of them learn."""
    every = sum(parameter.numel() for parameter in clip.parameters())
    learned = sum(parameter.numel() for parameter in clip.parameters() if parameter.requires_grad)
    return f"{every:,} parameters" if learned == every else f"{learned:,} of {every:,} parameters to train"


def _read(recipe: Recipe, processes: int, reader: InputReader) -> Material:
    starting = reader.starting_weights(recipe.model)
    architecture = starting.architecture(recipe)  # before the data, as it may not fit together
    recipe.ramp.check(architecture.image)
    check_batch_norm_of(recipe, architecture, processes=processes)
    guards, remembered = read_guards(recipe, reader), read_remembered(recipe, reader)
    training_data = gather(recipe, reader)
    if recipe.languages:
        training_data = by_language(training_data, recipe.languages.columns)
    tokenizer = starting.tokenizer or train_tokenizer(recipe, training_data, architecture.text.context_length)
    say_truncated(tokenizer, training_data)
    check_taught(recipe, training_data)
    return Material(training_data, tokenizer, guards, remembered)


def check_taught(recipe: Recipe, training_data: TrainingData) -> None:
    """Raise UsageError where nothing is said of any picture, and no text tower is there that means the same as the
    teacher's."""
    if recipe.distill is None or training_data.silent < training_data.pairs:
        return
    if not recipe.frozen.text or recipe.model.text_from != recipe.distill.teacher:
        raise UsageError(
            "recipe: distill: nothing is said of the pictures, so a text tower has nothing to learn from.\n"
            f"Take the teacher's and leave it as it is: --set model.text_weights={recipe.distill.teacher} "
            "--set freeze.text=true"
        )
    if not recipe.distill.features:
        raise UsageError("recipe: distill.features: of pictures alone nothing else is to be learned: leave it above 0.")


def check_batch_norm_of(recipe: Recipe, architecture: CLIPConfig, *, processes: int) -> None:
    """Raise UsageError where a tower wants statistics over the whole batch, which is cut up by the recipe or by the
    number of processes."""
    rows = ceil_div(recipe.batch_size, processes)
    parts = 1 if recipe.micro_batch == "auto" else ceil_div(rows, recipe.micro_batch)
    with torch.device("meta"):
        clip = CLIP(architecture)
    choose_what_learns(clip, recipe)
    check_batch_norm(clip, parts, processes, taken_over=recipe.model.image_from is not None)


def _with_embeddings(inputs: RunInputs) -> RunInputs:
    """The inputs with the embeddings of a frozen tower, where the recipe wants them to be cached."""
    frozen, folder, training_data = inputs.recipe.frozen, inputs.folder.embeddings, inputs.training_data
    if inputs.recipe.languages:
        return inputs  # no picture is looked at
    if frozen.image and frozen.cache_embeddings:
        inputs = replace(inputs, pictures=embed_pictures(folder, live_encoder(inputs, 0), training_data))
    if frozen.text and frozen.cache_embeddings:
        inputs = replace(inputs, texts=embed_texts(folder, live_encoder(inputs, 0), training_data))
    return inputs


def _take_over_from(teacher: SharedEncoder, clip: CLIP, recipe: Recipe, training_data: TrainingData) -> None:
    """Put the map to the teacher's space where one is needed. Where only one tower learns to stand in for the
    teacher's, nothing teaches the temperature: it is the teacher's."""
    if recipe.distill and recipe.distill.features:
        add_teacher_map(clip, teacher.dimensions, recipe.seed)
    if recipe.languages or training_data.silent == training_data.pairs:
        clip.logit_scale.data.fill_(math.log(teacher.logit_scale))
        clip.logit_scale.requires_grad_(False)
        if clip.logit_bias is not None:
            clip.logit_bias.data.fill_(teacher.logit_bias or 0.0)
            clip.logit_bias.requires_grad_(False)


def _with_teacher(inputs: RunInputs, teacher: SharedEncoder) -> RunInputs:
    """The inputs with what the teacher makes of all pictures and texts, and of held-out pictures that it alone speaks
    of."""
    training_data, folder = inputs.training_data, inputs.folder.embeddings / TEACHER
    if inputs.recipe.languages:
        return replace(inputs, teacher_texts=ask_teacher_for_english(teacher, folder, training_data))
    pictures, texts = ask_teacher(teacher, folder, training_data)
    inputs = replace(inputs, teacher_pictures=pictures, teacher_texts=texts)
    if training_data.is_spoken_of:
        return inputs
    held_out = [pair.picture for pair in training_data.held_out.pairs]
    vectors, kept, _ = teacher.embed_readable(held_out, what=None)
    return replace(inputs, held_out_by_teacher=HeldOutByTeacher(kept, vectors))


def resume(inputs: RunInputs, optimizer: Optimizer) -> tuple[int, float]:
    """Put the newest snapshot back, if there is one: the step to go on with, and the seconds trained before."""
    world = inputs.world
    found = newest_snapshot(inputs.folder.snapshots) if world.main else None
    facts = world.once(lambda: found.facts if found else None)
    if facts is None:
        return 0, 0.0
    inputs.folder.check_data(facts["data"], inputs.identity["data"])
    inputs.folder.check_origin(facts.get("origin", ""), inputs.origin)
    inputs.folder.check_teacher(facts.get("teacher"), inputs.identity.get("teacher"))
    inputs.folder.check_tokenizer(facts.get("tokenizer"), inputs.identity["tokenizer"])
    Snapshot(facts["step"], world.tensors(found.tensors if found else {}), facts).restore(inputs.clip, optimizer)
    say(f"Going on after step {facts['step']} of {inputs.steps}.")
    return facts["step"], facts["seconds"]


def restore_best(inputs: RunInputs, optimizer: Optimizer) -> None:
    """Put back the best state that kept what the guards ask for."""
    world = inputs.world
    found = newest_snapshot(inputs.folder.best) if world.main else None
    facts = world.once(lambda: found.facts if found else None)
    if facts is None:
        raise LexelError(f"The best snapshot in {inputs.folder.best} is gone or damaged. Train into another --output.")
    Snapshot(facts["step"], world.tensors(found.tensors if found else {}), facts).restore(inputs.clip, optimizer)
    say(
        f"The model is the one of step {facts['step']}, the best that kept what the guards ask for."
        if facts["step"]
        else "The model is the starting model: no later state kept what the guards ask for."
    )


@contextmanager
def deterministic() -> Iterator[None]:
    """Within the block torch takes its deterministic ways, and warns where it has none."""
    fills: Any = torch.utils.deterministic  # its settings are properties of the module, unknown to type checkers
    before = torch.are_deterministic_algorithms_enabled(), fills.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    fills.fill_uninitialized_memory = False  # a debugging aid that costs time
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        fills.fill_uninitialized_memory = before[1]
