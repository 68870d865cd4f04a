"""Whether a library's model knows anything about its pictures, by the captions that they have.

For photos with captions it is counted how often the model puts a photo's own caption before another's: half of the
time where it knows nothing of either (the area under the ROC curve). Measured on 200 pictures each: a model of drawn
scenes has 0.99 on scenes and 0.50 to 0.51 on photographs and aerial views, one of aerial views 0.91 on those and 0.49
to 0.52 on the others. Nothing short of captions shows it: neither the likeness of the pictures among themselves nor
their matches with common words part the two (docs/experiments.md).
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from lexel.encoder import Encoder
from lexel.errors import LexelError
from lexel.evaluation.report.drawn_scenes import GENERAL_MODEL, about_drawn_scenes
from lexel.library.search.searchable import SearchableVectors
from lexel.library.search.strength import sample_of
from lexel.library.store.database.locking import only_writer
from lexel.library.store.records import Records
from lexel.progress import say

CAPTIONED_PHOTOS = 200  # that are looked at
USELESS_SHARE = 0.65  # a model knows nothing where its share is surely below this
DEVIATION_OF_A_RANK = 0.29  # of one photo's share, where the model guesses: that of a uniform number
_FACT = "model_check"


class CheckedLibrary(Protocol):
    """What the check asks of a library."""

    @property
    def records(self) -> Records: ...

    @property
    def vectors(self) -> SearchableVectors[Any]: ...

    @property
    def encoder(self) -> Encoder: ...


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """How well a model matches the photos of a library with their captions."""

    fingerprint: str  # of the model
    photos: int  # in the library when it was measured
    captions: int  # distinct ones that were compared
    share: float  # of the comparisons in which the photo's own caption fits better than another's; chance 0.5

    @property
    def tells_nothing(self) -> bool:
        """Whether the share is surely that of a model that is of no use here (two standard errors)."""
        return self.share + 2 * DEVIATION_OF_A_RANK / self.captions**0.5 < USELESS_SHARE


def say_if_model_tells_nothing(library: CheckedLibrary) -> bool:
    """Whether the library's model knows nothing about its pictures; if so, a warning is printed.

    Of a model that has learned from drawn scenes alone this is said too, where no captions show the contrary.

    Example: `if say_if_model_tells_nothing(library): ...`
    """
    check, encoder = check_model(library), library.encoder
    if check is not None and check.tells_nothing:
        say(
            f"{encoder.name} knows nothing about these pictures: of {check.captions:,} of their captions it puts a "
            f"picture's own\nbefore another's in {check.share:.0%} of the cases, and chance does in 50 %. What it says "
            f"by words means nothing here.\nTake a model that knows such pictures, such as {GENERAL_MODEL}."
        )
        return True
    if check is None and (warning := about_drawn_scenes(encoder)):
        say(warning)
    return False


def check_model(library: CheckedLibrary) -> ModelCheck | None:
    """What the captions of the library's photos show about its model; None where too few have any.

    It is measured once for each model, and again when the library has doubled.
    """
    records, encoder = library.records, library.encoder
    known = records.fact(_FACT)
    if known is not None:
        check = ModelCheck(**json.loads(known))
        if check.fingerprint == encoder.fingerprint and records.count < 2 * check.photos:
            return check
    ids = np.intersect1d(records.ids_where("caption IS NOT NULL"), library.vectors.ids)
    if len(ids) < 2:
        return None
    ids = np.sort(np.random.default_rng(0).choice(ids, min(CAPTIONED_PHOTOS, len(ids)), replace=False))
    captions = [(photo.caption or "").partition("\n")[0] for photo in records.photos(ids)]
    distinct = list(dict.fromkeys(captions))
    if len(distinct) < 2:
        return None
    cosines = sample_of(library.vectors, ids) @ encoder.embed_texts(distinct).T
    own = np.array([distinct.index(caption) for caption in captions])
    check = ModelCheck(encoder.fingerprint, records.count, len(distinct), share_before_others(cosines, own))
    _remember(library, check)
    return check


def share_before_others(cosines: np.ndarray, own: np.ndarray) -> float:
    """How often a picture's own text fits it better than another, of cosines (N, L ≥ 2); `own` (N,) are its columns.

    Ties count half.
    """
    of_own = cosines[np.arange(len(own)), own][:, None]
    better = (of_own > cosines).sum(axis=1) + 0.5 * ((of_own == cosines).sum(axis=1) - 1)
    return float((better / (cosines.shape[1] - 1)).mean())


def _remember(library: CheckedLibrary, check: ModelCheck) -> None:
    """Keep it in the library; where that cannot be done now, it is measured again the next time."""
    if library.records.read_only:
        return
    try:
        with only_writer(library.records.folder, patience=0), library.records.changing() as changes:
            changes.set_fact(_FACT, json.dumps(asdict(check)))
    except LexelError:
        return
