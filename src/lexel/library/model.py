"""The model of a library: which one its vectors are from, found again by the name that it was given by."""

from dataclasses import dataclass
from pathlib import Path

from lexel.encoder import Encoder
from lexel.errors import LexelError, UsageError
from lexel.library.store.changes import Changes
from lexel.library.store.records import Records
from lexel.loading import ModelChoice


@dataclass(frozen=True, slots=True)
class ReadyModel:
    """A model made ready, and how to come by it again if that is known."""

    encoder: Encoder
    choice: ModelChoice | None = None


ModelLike = str | Path | ModelChoice | ReadyModel | Encoder


def made_ready(given: ModelLike) -> ReadyModel:
    """Load the model unless it is loaded. A folder's path becomes absolute."""
    if isinstance(given, ReadyModel):
        return given
    choice = _choice(given)
    if choice is None:
        return ReadyModel(given, given.source)  # pyright: ignore
    return ReadyModel(choice.load(), choice)


class LibraryModel:
    """The encoder of one library, loaded when first needed and checked against the records."""

    def __init__(self, records: Records, given: ModelLike | None, *, may_differ: bool = False) -> None:
        """`may_differ` lets another model through, for re-embedding. Raises UsageError for an Encoder that differs."""
        self._records = records
        self._may_differ = may_differ
        self._given = given
        self._ready: ReadyModel | None = None
        if given is not None and _choice(given) is None:
            self.check()

    @property
    def encoder(self) -> Encoder:
        """Raises UsageError when there is none to be had or it is another than the vectors are from."""
        return self._made_ready().encoder

    def check(self) -> None:
        """Raise what `encoder` would."""
        self._made_ready()

    def remember(self) -> None:
        """Write down which model the vectors are from, if that is not known yet or it lies elsewhere now."""
        ready, records = self._made_ready(), self._records
        is_elsewhere = ready.choice is not None and ready.choice.model != records.model
        if records.fingerprint is None or is_elsewhere:
            with records.changing() as changes:
                self.write(changes)

    def write(self, changes: Changes) -> None:
        """Note the model as part of a transaction."""
        ready = self._made_ready()
        changes.set_fact("fingerprint", ready.encoder.fingerprint)
        changes.set_fact("model_name", ready.encoder.name)
        changes.set_fact("model", ready.choice and ready.choice.model)
        changes.set_fact("runtime", ready.choice and ready.choice.runtime)
        changes.set_fact("number_format", ready.choice and ready.choice.number_format)

    def _made_ready(self) -> ReadyModel:
        if self._ready is None:
            self._ready = self._loaded_again() if self._given is None else made_ready(self._given)
        self._check(self._ready.encoder)  # each time: another process may have embedded everything anew
        return self._ready

    def _loaded_again(self) -> ReadyModel:
        remembered = self._remembered()
        try:
            return made_ready(remembered)
        except LexelError:
            if Path(remembered.model).is_absolute() and not Path(remembered.model).exists():
                raise UsageError(
                    f"{remembered.model}, the model of {self._records.folder}, is not there any more.\n"
                    "Say where it lies now: --model MODEL"
                ) from None
            raise

    def _remembered(self) -> ModelChoice:
        records = self._records
        if records.fingerprint is None:
            raise UsageError(f"{records.folder} has no model yet. Name one: --model MODEL, such as runs/demo/model.")
        if records.model is None:
            raise UsageError(
                f"{records.folder} was made with the model {records.fact('model_name')} from Python, and cannot tell "
                "where it is.\nName it: --model MODEL"
            )
        return ModelChoice(records.model, records.fact("runtime"), records.fact("number_format"))

    def _check(self, encoder: Encoder) -> None:
        known = self._records.fingerprint
        if self._may_differ or known is None or known == encoder.fingerprint:
            return
        before, folder = self._records.fact("model_name"), self._records.folder
        raise UsageError(
            f"{folder} was made with {before} ({known}); {encoder.name} ({encoder.fingerprint}) is another model, or "
            "the same in another\nnumber format, and its vectors cannot be compared with those. Use that model, or "
            f"embed all pictures anew:\n  lexel library reembed {folder} MODEL"
        )


def _choice(given: ModelLike) -> ModelChoice | None:
    """What is to be loaded; None for a model made ready."""
    if isinstance(given, str | Path):
        given = ModelChoice(str(given))
    return given.for_later() if isinstance(given, ModelChoice) else None
