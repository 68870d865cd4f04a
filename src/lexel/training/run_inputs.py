"""What stands ready before the first step, as data, and what the steps are given from it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lexel.checkpoints.model_folder.training_pictures import TrainingPictures
from lexel.data.decoded_cache import GB, DecodedCache
from lexel.data.frozen_vectors import EmbeddedPictures, EmbeddedTexts
from lexel.data.loader import Batch, BatchMaker, load_batches
from lexel.data.order import Order
from lexel.images import Preprocessing
from lexel.models.clip import CLIP
from lexel.runtimes.torch import TorchRuntime
from lexel.tokenizer import Tokenizer
from lexel.training.distributed.sharding import whole_clip
from lexel.training.distributed.shared_encoder import SharedEncoder
from lexel.training.distributed.world import World
from lexel.training.inputs.picture_memory import PictureMemory
from lexel.training.inputs.remembered import Remembered
from lexel.training.inputs.teacher import HeldOutByTeacher, TeacherFacts
from lexel.training.inputs.training_data import TrainingData
from lexel.training.metering.meter import Meter
from lexel.training.precision import precision_on
from lexel.training.ramp import ImageSizes
from lexel.training.recipe import Recipe
from lexel.training.run.folder import RunFolder
from lexel.training.run.log import RunLog, SilentLog
from lexel.training.step.contrastive import ContrastiveObjective
from lexel.training.step.distilling import DistillingObjective
from lexel.training.step.objective import Objective
from lexel.training.step.remembering import RememberingObjective
from lexel.training.step.translating import TranslatingObjective


@dataclass(frozen=True)
class RunInputs:
    """All that the loop works with; the same on every process, but for `world` and where the tensors are."""

    recipe: Recipe
    folder: RunFolder
    world: World
    training_data: TrainingData
    tokenizer: Tokenizer
    preprocessing: Preprocessing
    clip: CLIP
    order: Order
    origin: str  # fingerprint of the weights that were taken over, or ""
    origin_pictures: TrainingPictures | None  # that these weights had learned from, where they say so
    base: tuple[str, str] | None = None  # name and fingerprint of the model that an adapter is trained for
    pictures: EmbeddedPictures | None = None  # where a frozen tower has embedded them already
    texts: EmbeddedTexts | None = None
    teacher_pictures: EmbeddedPictures | None = None  # of the model that embeddings are to be near
    teacher_texts: EmbeddedTexts | None = None
    teacher: TeacherFacts | None = None  # of a distillation
    held_out_by_teacher: HeldOutByTeacher | None = None  # where nothing is said of the held-out pictures
    first: CLIP | None = None  # the model as it is before the first step, where it is to be remembered
    remembered: Remembered | None = None  # beside the training data

    @cached_property
    def steps(self) -> int:
        """Of the whole run."""
        return self.recipe.total_steps(self.order.epoch_size)

    @cached_property
    def identity(self) -> dict[str, str]:
        """What a snapshot remembers of data, first weights and vocabulary, so that the run goes on with the same."""
        tokenizer = hashlib.sha256(f"{self.tokenizer.to_json()}{self.tokenizer.rules}".encode()).hexdigest()[:16]
        taught = {"teacher": self.teacher.fingerprint} if self.teacher else {}
        data = self.training_data.fingerprint + (f"+{self.remembered.data.fingerprint}" if self.remembered else "")
        return {"data": data, "origin": self.origin, "tokenizer": tokenizer} | taught


def make_objective(inputs: RunInputs) -> Objective:
    """What the steps train. The towers are in training mode from now on."""
    recipe = inputs.recipe
    contrastive = ContrastiveObjective(inputs.clip.train(), recipe, inputs.preprocessing, inputs.steps)
    if recipe.languages:
        return TranslatingObjective(contrastive)
    if recipe.distill and inputs.teacher:
        return DistillingObjective(contrastive, recipe.distill, inputs.teacher.logit_scale)
    if recipe.remember:
        assert inputs.first is not None
        first = ContrastiveObjective(inputs.first, recipe, inputs.preprocessing, inputs.steps)
        sides = tuple(side for side in ("image", "text") if not getattr(recipe.frozen, side))
        beside = inputs.remembered.sides(sides) if inputs.remembered else ()
        return RememberingObjective(contrastive, first, recipe.remember, sides, beside)
    return contrastive


def make_batches(inputs: RunInputs, start: int) -> Iterator[Batch]:
    """This process's shares of the batches from step `start` to the end."""
    recipe = inputs.recipe
    common: dict[str, Any] = {
        "batch_size": recipe.batch_size,
        "tokenizer": inputs.tokenizer,
        "preprocessing": inputs.preprocessing,
        "augmentation": recipe.augmentation,
        "share": inputs.world.share,
        "size_at": ImageSizes(recipe.ramp, inputs.steps, inputs.clip.config.image),
    }
    kept = inputs.remembered
    remembered = kept and BatchMaker(
        sources=kept.data.sources,
        order=kept.order,
        fills_gaps=True,
        **common,
    )
    maker = BatchMaker(
        sources=inputs.training_data.sources,
        order=inputs.order,
        pictures=inputs.pictures,
        texts=inputs.texts,
        texts_alone=recipe.languages is not None,
        teacher_pictures=inputs.teacher_pictures,
        teacher_texts=inputs.teacher_texts,
        decoded=_decoded_cache(inputs),
        remembered=remembered,
        **common,
    )
    on_gpu = inputs.clip.logit_scale.device.type == "cuda"
    return load_batches(maker, start=start, stop=inputs.steps, workers=recipe.data.workers, pin_memory=on_gpu)


def _decoded_cache(inputs: RunInputs) -> DecodedCache | None:
    """Room for decoded pictures, if the recipe wants any and any are decoded."""
    data = inputs.recipe.data
    if not data.decoded_cache_gb or inputs.pictures is not None:
        return None
    sizes = [len(source.pairs) for source in inputs.training_data.sources]
    folder = Path(data.decoded_cache_folder).expanduser() if data.decoded_cache_folder else None
    return DecodedCache(int(data.decoded_cache_gb * GB), sizes, folder)


def open_log(inputs: RunInputs, start: int, seconds: float) -> RunLog | SilentLog:
    """The log from step `start` on, after `seconds` of training. Only the main process keeps one."""
    world = inputs.world
    if not world.main:
        return SilentLog()
    meter = Meter(world.device, precision_on(world.device, inputs.recipe.precision), world.size)
    return RunLog(inputs.folder.path, start, inputs.steps, seconds, meter)


def open_picture_memory(inputs: RunInputs, start: int) -> PictureMemory:
    """What notes the pictures that are learned from, from step `start` on. All processes call it."""
    memory = PictureMemory(
        inputs.folder.training_pictures,
        inputs.world,
        [(inputs.training_data.sources, inputs.order)]
        + ([(inputs.remembered.data.sources, inputs.remembered.order)] if inputs.remembered else []),
        inputs.recipe.batch_size,
        embedded=inputs.pictures is not None,
    )
    memory.resume(start)
    return memory


def live_encoder(inputs: RunInputs, step: int, learned: TrainingPictures | None = None) -> SharedEncoder:
    """An Encoder around the towers as they are after `step` steps, which have `learned` from these pictures.

    Every process must make the same calls of it.
    """
    name = inputs.recipe.name
    return SharedEncoder(
        TorchRuntime(whole_clip(inputs.clip)),
        inputs.tokenizer,
        inputs.preprocessing,
        name=name,
        fingerprint=f"{name} after step {step}",
        training_pictures=learned,
        world=inputs.world,
    )
