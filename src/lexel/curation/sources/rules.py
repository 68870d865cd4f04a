"""The rules of a source's filter; a rule that is None is not applied."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, PositiveInt, ValidationError, model_validator

from lexel.config import Config
from lexel.curation.concepts.filtering import named_head
from lexel.curation.sources.text_pattern import check_pattern
from lexel.data.near_copies import LIKENESS
from lexel.encoder import Encoder
from lexel.errors import UsageError
from lexel.loading import ModelChoice

Copies = Literal["exact", "near", "semantic"]


class FilterRules(Config):
    """The rules, in the order in which they are applied: what is cheap first, copies and balance last."""

    min_side: PositiveInt | None = None  # pixels of the shorter side
    max_aspect: float | None = Field(default=None, ge=1)  # longer side to the shorter one
    drop_flat: bool = False  # pictures of one colour
    min_words: PositiveInt | None = None  # of a caption
    max_words: PositiveInt | None = None
    drop_text: str | None = None  # captions in which this regular expression finds something
    keep_text: str | None = None  # captions in which this one finds nothing
    match: float | None = Field(default=None, ge=0, le=1)  # least match of a text with its picture
    top: float | None = Field(default=None, gt=0, le=1)  # share of the texts, the best ones
    without: str | None = None  # a concept: words, or the folder of a trained one
    copies: Copies | None = None  # near ones include exact ones; semantic ones are of a model
    likeness: float | None = Field(default=None, ge=0.5, le=1)  # from which a picture is a near or semantic copy
    cap: PositiveInt | None = None  # pairs that each entry keeps
    cap_by: str = "label"  # label, caption, word, or a text file of entries, one a line
    seed: int = 0  # of the draw among more than `cap`

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.min_words and self.max_words and self.min_words > self.max_words:
            raise ValueError(f"no caption has at least {self.min_words} words and at most {self.max_words}")
        if self.likeness is not None and self.copies not in ("near", "semantic"):
            raise ValueError("a likeness is for near or semantic copies")
        return self

    @classmethod
    def checked(cls, **given: object) -> Self:
        """The rules. Raises UsageError for one that makes no sense."""
        try:
            rules = cls.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"]))
            reason = first["msg"].removeprefix("Value error, ")
            raise UsageError(f"--{name.replace('_', '-')}: {reason}." if name else f"{reason.capitalize()}.") from None
        for pattern in (rules.drop_text, rules.keep_text):
            if pattern is not None:
                check_pattern(pattern)
        known = rules.cap_by in ("label", "caption", "word") or Path(rules.cap_by).is_file()
        if rules.cap is not None and not known:
            raise UsageError(f'--cap-by is label, caption, word or a text file of entries, not "{rules.cap_by}".')
        return rules

    @property
    def needs_model(self) -> bool:
        """Whether a rule needs a model."""
        return self.match is not None or self.top is not None or self.without is not None or self.copies == "semantic"

    def encoder(self, choice: ModelChoice | None) -> Encoder | None:
        """The model that the rules need, loaded; None if none does. A trained concept knows its own model.

        Raises UsageError where one is needed and none is named, or the other way round.
        """
        if not self.needs_model:
            if choice is not None:
                raise UsageError("--model is for --match, --top, --without and --copies semantic; none is asked for.")
            return None
        if choice is None and self.without is not None:
            head = named_head(self.without)
            choice = ModelChoice(head.facts.model) if head is not None and head.facts.model is not None else None
        if choice is None:
            raise UsageError("--match, --top, --without and --copies semantic need --model MODEL.")
        return choice.load()

    @property
    def near_likeness(self) -> float:
        """The likeness of prints from which a picture counts as a near copy."""
        return LIKENESS if self.likeness is None else self.likeness
