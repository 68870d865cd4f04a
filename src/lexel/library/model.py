"""The model of a library: which one its vectors are from, found again by the name that it was given by."""

from pathlib import Path
from typing import Any, Protocol

from lexel.encoder import Encoder
from lexel.errors import LexelError, UsageError
from lexel.library.store.changes import Changes
from lexel.library.store.records import Records
from lexel.loading import ModelChoice

ModelLike = str | Path | ModelChoice | Encoder


class ModelFacts(Protocol):
    """What is kept about the model beside its vectors, in a library's `Records` or on a cluster."""

    @property
    def folder(self) -> str | Path:
        """The library's folder or address, for people."""
        ...

    @property
    def fingerprint(self) -> str | None:
        """Of the model that all vectors are from; None before the first."""
        ...

    @property
    def model(self) -> str | None:
        """The name or folder that the model was given by."""
        ...

    def fact(self, key: str) -> Any:
        """What is kept under the key (`model_name`, `runtime`, `number_format`), else None."""
        ...


def load_model(given: ModelLike) -> Encoder:
    """Load the model unless it is loaded. Raises UsageError or ModelError."""
    lasting = _lasting(given)
    return lasting.load() if isinstance(lasting, ModelChoice) else lasting


class LibraryModel:
    """The encoder of one library, loaded when first needed and checked against what the library knows of its model."""

    def __init__(self, facts: ModelFacts, given: ModelLike | None, *, may_differ: bool = False) -> None:
        """`may_differ` lets another model through, for re-embedding. Raises UsageError for an Encoder that differs."""
        self._facts = facts
        self._may_differ = may_differ
        self._given = None if given is None else _lasting(given)
        self._encoder: Encoder | None = None
        if given is not None and not isinstance(self._given, ModelChoice):
            self.check()

    @property
    def encoder(self) -> Encoder:
        """Raises UsageError when there is none to be had or it is another than the vectors are from."""
        if self._encoder is None:
            self._encoder = self._load_remembered() if self._given is None else load_model(self._given)
        self._check(self._encoder)  # each time: another process may have embedded everything again
        return self._encoder

    def check(self) -> None:
        """Raise what `encoder` would."""
        _ = self.encoder

    def remember(self, records: Records) -> None:
        """Write down which model the vectors are from, if that is not known yet or it lies elsewhere now."""
        source = self.encoder.source
        is_elsewhere = source is not None and source.model != records.model
        if records.fingerprint is None or is_elsewhere:
            with records.changing() as changes:
                self.write(changes)

    def write(self, changes: Changes) -> None:
        """Note the model as part of a transaction."""
        encoder, source = self.encoder, self.encoder.source
        changes.set_fact("fingerprint", encoder.fingerprint)
        changes.set_fact("model_name", encoder.name)
        changes.set_fact("model", source and source.model)
        changes.set_fact("runtime", source and source.runtime)
        changes.set_fact("number_format", source and source.number_format)

    def _load_remembered(self) -> Encoder:
        remembered = self._remembered()
        try:
            return load_model(remembered)
        except LexelError:
            if Path(remembered.model).is_absolute() and not Path(remembered.model).exists():
                raise UsageError(
                    f"{remembered.model}, the model of {self._facts.folder}, is not there any more.\n"
                    "Say where it lies now: --model MODEL"
                ) from None
            raise

    def _remembered(self) -> ModelChoice:
        facts = self._facts
        if facts.fingerprint is None:
            raise UsageError(f"{facts.folder} has no model yet. Name one: --model MODEL, such as ViT-B-32/openai.")
        if facts.model is None:
            raise UsageError(
                f"{facts.folder} was made with the model {facts.fact('model_name')} from Python, and cannot tell "
                "where it is.\nName it: --model MODEL"
            )
        return ModelChoice(facts.model, facts.fact("runtime"), facts.fact("number_format"))

    def _check(self, encoder: Encoder) -> None:
        known = self._facts.fingerprint
        if self._may_differ or known is None or known == encoder.fingerprint:
            return
        before, folder = self._facts.fact("model_name"), self._facts.folder
        raise UsageError(
            f"{folder} was made with {before} ({known}); {encoder.name} ({encoder.fingerprint}) is another model, or "
            "the same in another\nnumber format, and its vectors cannot be compared with those. Use that model, or "
            f"embed all pictures again:\n  lexel library reembed {folder} MODEL"
        )


def _lasting(given: ModelLike) -> ModelChoice | Encoder:
    """The same, with a path made absolute: the working folder may change before the model is loaded."""
    if isinstance(given, str | Path):
        given = ModelChoice(str(given))
    return given.for_later() if isinstance(given, ModelChoice) else given
