"""The teacher of a distillation: loaded, asked once for the embeddings of all that is learned from, and let go of."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lexel.checkpoints.model_folder.folder import MANIFEST, open_model_folder
from lexel.data.frozen_vectors import EmbeddedPictures, EmbeddedTexts
from lexel.encoder import Encoder
from lexel.errors import UsageError
from lexel.loading import load
from lexel.training.distributed.shared_encoder import SharedEncoder
from lexel.training.distributed.world import World
from lexel.training.inputs.embedding_cache import embed_pictures, embed_texts
from lexel.training.inputs.training_data import TrainingData

TEACHER = "teacher"  # the folder of its embeddings, in that of a run's


@dataclass(frozen=True)
class TeacherFacts:
    """What a run remembers of its teacher."""

    name: str
    fingerprint: str
    dimensions: int  # D
    logit_scale: float
    logit_bias: float | None


@dataclass(frozen=True)
class HeldOutByTeacher:
    """What the teacher makes of the held-out pictures, where nothing else is known of them."""

    rows: np.ndarray  # (K,) of the held-out pictures, those that it could read
    vectors: np.ndarray  # (K, D)


def load_teacher(name: str, world: World) -> SharedEncoder:
    """The teacher, on every process. Raises UsageError or ModelError where there is none of that name."""
    if world.size > 1:
        world.once(lambda: _load(name, world) and None)  # one process alone fetches it
    return SharedEncoder.around(_load(name, world), world)


def _load(name: str, world: World) -> Encoder:
    path = Path(name).expanduser()
    try:
        exported = (path / MANIFEST).is_file() and open_model_folder(path).is_exported  # which runs where it can
        return load(name, device=None if exported else str(world.device))
    except UsageError as error:
        raise UsageError(f"recipe: the teacher: {error}") from None


def facts_of(teacher: SharedEncoder) -> TeacherFacts:
    return TeacherFacts(teacher.name, teacher.fingerprint, teacher.dimensions, teacher.logit_scale, teacher.logit_bias)


def ask_teacher(
    teacher: SharedEncoder, folder: Path, training_data: TrainingData
) -> tuple[EmbeddedPictures, EmbeddedTexts]:
    """What it makes of all pictures and texts, from `folder` where that is known already.

    Texts come first: a teacher that has no tokenizer says so before hours of pictures.
    """
    why = f"The teacher {teacher.name} embeds the {{}} once, to be kept."
    texts = embed_texts(folder, teacher, training_data, why.format("texts"))
    return embed_pictures(folder, teacher, training_data, why.format("pictures")), texts
