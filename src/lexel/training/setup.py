"""What stands ready before the first step: the material, the tokenizer, the towers and the maker of batches."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch

from lexel.checkpoints.model_folder.training_pictures import TrainingPictures
from lexel.data.frozen_vectors import EmbeddedPictures, EmbeddedTexts
from lexel.data.loader import Batch, BatchMaker, load_batches
from lexel.data.order import Order
from lexel.images import Preprocessing
from lexel.models.clip import CLIP
from lexel.models.config import CLIPConfig
from lexel.progress import say
from lexel.runtimes.torch import TorchRuntime
from lexel.tokenizer import Tokenizer
from lexel.training.distributed.sharding import shard_towers, whole_clip
from lexel.training.distributed.shared_encoder import SharedEncoder
from lexel.training.distributed.world import World
from lexel.training.inputs.embedding_cache import embed_pictures, embed_texts
from lexel.training.inputs.picture_memory import PictureMemory
from lexel.training.inputs.starting_weights import Given, first_clip, read_given
from lexel.training.inputs.training_data import Material, gather, say_truncated, train_tokenizer
from lexel.training.metering.meter import Meter
from lexel.training.optimization.freezing import freeze
from lexel.training.optimization.optimizer import Optimizer
from lexel.training.precision import precision_on
from lexel.training.ramp import ImageSizes
from lexel.training.recipe import Recipe
from lexel.training.run.folder import RunFolder
from lexel.training.run.log import RunLog, SilentLog
from lexel.training.snapshots import Snapshot, newest_snapshot
from lexel.training.step.micro_batch import check_batch_norm


@dataclass(frozen=True)
class Setup:
    """All that the loop works with; the same on every process, but for `world` and where the tensors are."""

    recipe: Recipe
    folder: RunFolder
    world: World
    material: Material
    tokenizer: Tokenizer
    preprocessing: Preprocessing
    clip: CLIP
    order: Order
    origin: str  # fingerprint of the weights that were taken over, or ""
    origin_pictures: TrainingPictures | None  # that these weights had learned from, where they say so
    pictures: EmbeddedPictures | None = None  # where a frozen tower has embedded them already
    texts: EmbeddedTexts | None = None

    @cached_property
    def steps(self) -> int:
        return self.recipe.total_steps(self.order.epoch_size)

    def batches(self, start: int) -> Iterator[Batch]:
        """This process's shares of the batches from step `start` to the end."""
        maker = BatchMaker(
            sources=self.material.sources,
            order=self.order,
            batch_size=self.recipe.batch_size,
            tokenizer=self.tokenizer,
            preprocessing=self.preprocessing,
            augmentation=self.recipe.augmentation,
            pictures=self.pictures,
            texts=self.texts,
            share=self.world.share,
            size_at=ImageSizes(self.recipe.ramp, self.steps, self.clip.config.image),
        )
        on_gpu = self.clip.logit_scale.device.type == "cuda"
        return load_batches(maker, start=start, stop=self.steps, workers=self.recipe.data.workers, pin_memory=on_gpu)

    def identity(self) -> dict[str, str]:
        """What a snapshot remembers of data, first weights and vocabulary, so that the run goes on with the same."""
        tokenizer = hashlib.sha256(f"{self.tokenizer.to_json()}{self.tokenizer.rules}".encode()).hexdigest()[:16]
        return {"data": self.material.fingerprint, "origin": self.origin, "tokenizer": tokenizer}

    def log(self, start: int, seconds: float) -> RunLog | SilentLog:
        """The log from step `start` on, which the main process keeps."""
        if not self.world.main:
            return SilentLog()
        meter = Meter(self.world.device, precision_on(self.world.device, self.recipe.precision), self.world.size)
        return RunLog(self.folder.path, start, self.steps, seconds, meter)

    def picture_memory(self, start: int) -> PictureMemory:
        """What notes the pictures that are learned from, from step `start` on."""
        memory = PictureMemory(
            self.folder.training_pictures,
            self.world,
            self.material,
            self.order,
            self.recipe.batch_size,
            embedded=self.pictures is not None,
        )
        memory.resume(start)
        return memory

    def encoder(self, step: int, learned: TrainingPictures | None = None) -> SharedEncoder:
        """An Encoder around the towers as they are after `step` steps, which have `learned` from these pictures.

        Every process must make the same calls of it.
        """
        return SharedEncoder(
            TorchRuntime(whole_clip(self.clip)),
            self.tokenizer,
            self.preprocessing,
            name=self.recipe.name,
            fingerprint=f"{self.recipe.name} after step {step}",
            training_pictures=learned,
            world=self.world,
        )


def set_up(recipe: Recipe, folder: RunFolder, world: World) -> Setup:
    """Read the sources, learn the vocabulary and draw the first weights, or take them over.

    Raises UsageError, DataError or ModelError.
    """
    given, material, tokenizer = world.once(lambda: _read(recipe, world.size))
    architecture = given.architecture(recipe, tokenizer)
    sharded = recipe.parallel.shard == "towers" and world.size > 1
    clip = first_clip(given, architecture, recipe, "cpu" if sharded else str(world.device))
    freeze(clip, recipe.freeze)
    if sharded:
        shard_towers(clip, world.device, precision_on(world.device, recipe.precision))
    order = Order([len(s.pairs) for s in material.sources], [s.weight for s in material.sources], recipe.seed)
    preprocessing = given.preprocessing(recipe, architecture)
    setup = Setup(
        recipe=recipe,
        folder=folder,
        world=world,
        material=material,
        tokenizer=tokenizer,
        preprocessing=preprocessing,
        clip=clip,
        order=order,
        origin=given.fingerprint,
        origin_pictures=given.training_pictures,
    )
    say(
        f"Training {recipe.name}: {material.pairs:,} pairs, {setup.steps:,} steps of {recipe.batch_size} "
        f"({setup.steps * recipe.batch_size / order.epoch_size:.1f} epochs), "
        f"{_parameters(clip)}, on {world}, into {folder.path}"
    )
    return _with_embeddings(setup)


def _parameters(clip: CLIP) -> str:
    """How many there are and, where a tower is frozen, how many of them learn."""
    every = sum(parameter.numel() for parameter in clip.parameters())
    learned = sum(parameter.numel() for parameter in clip.parameters() if parameter.requires_grad)
    return f"{every:,} parameters" if learned == every else f"{learned:,} of {every:,} parameters to train"


def _read(recipe: Recipe, processes: int) -> tuple[Given, Material, Tokenizer]:
    given = read_given(recipe.model)
    architecture = given.architecture(recipe)  # before the data, as it may not fit together
    recipe.ramp.check(architecture.image)
    _check_batch_norm(recipe, architecture, processes)
    material = gather(recipe)
    tokenizer = given.tokenizer or train_tokenizer(recipe, material, architecture.text.context_length)
    say_truncated(tokenizer, material)
    return given, material, tokenizer


def _check_batch_norm(recipe: Recipe, architecture: CLIPConfig, processes: int) -> None:
    """Raise UsageError where a tower wants statistics over the whole batch, which is cut up by the recipe or by the
    number of processes."""
    rows = -(-recipe.batch_size // processes)
    parts = 1 if recipe.micro_batch == "auto" else -(-rows // recipe.micro_batch)
    with torch.device("meta"):
        clip = CLIP(architecture)
    freeze(clip, recipe.freeze)
    check_batch_norm(clip, parts, processes)


def _with_embeddings(setup: Setup) -> Setup:
    """The setup with what its frozen tower has to say."""
    frozen, folder = setup.recipe.freeze, setup.folder.embeddings
    if frozen.image and frozen.cache_embeddings:
        return replace(setup, pictures=embed_pictures(folder, setup.encoder(0), setup.material))
    if frozen.text and frozen.cache_embeddings:
        return replace(setup, texts=embed_texts(folder, setup.encoder(0), setup.material))
    return setup


def resume(setup: Setup, optimizer: Optimizer) -> tuple[int, float]:
    """Put the newest snapshot back, if there is one: the step to go on with, and the seconds trained before."""
    world = setup.world
    found = newest_snapshot(setup.folder.snapshots) if world.main else None
    facts = world.once(lambda: found.facts if found else None)
    if facts is None:
        return 0, 0.0
    setup.folder.check_data(facts["data"], setup.material.fingerprint)
    setup.folder.check_origin(facts.get("origin", ""), setup.origin)
    setup.folder.check_tokenizer(facts.get("tokenizer"), setup.identity()["tokenizer"])
    Snapshot(facts["step"], world.tensors(found.tensors if found else {}), facts).restore(setup.clip, optimizer)
    say(f"Going on after step {facts['step']} of {setup.steps}.")
    return facts["step"], facts["seconds"]


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
