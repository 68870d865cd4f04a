"""What may be asked of a library, and what it answers: `Query` and `Hit`. `ranking` finds the answers."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import wraps
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, TypeVar

from lexel.calibration import Strength
from lexel.encoder_inputs import ImageLike, check_texts
from lexel.errors import UsageError, did_you_mean
from lexel.library.search.filters import Filter, Orientation
from lexel.library.store.records import Photo

WeightedText = str | tuple[str, float]
Example = ImageLike | int | tuple[ImageLike | int, float]
Least = Literal["strong", "possible", "any"]
Options = TypeVar("Options")
LEAST: tuple[Least, ...] = ("strong", "possible", "any")


@dataclass(frozen=True, slots=True)
class Hit:
    """One photo that was found.

    Example:
        [(hit.photo.path, hit.strength) for hit in library.search("a dog on a beach")]
    """

    photo: Photo
    score: float | None  # cosine with what was asked, or of keywords alone minus their BM25; None for filters alone
    match: float | None  # the probability that it fits the words; None where it is not known
    strength: Strength | None  # the word for it
    keyword_rank: int | None  # its place among the photos that have the keywords, from 1
    is_there: bool  # whether its file is on the disk now; those that are not come last
    why: str  # what each part of the query made of it

    @property
    def is_match(self) -> bool:
        """Whether it fits: at least possibly, or by its keywords, or because nothing says that it does not."""
        return self.strength != "unlikely" or self.keyword_rank is not None


def _refusing_unknown_options(options: type[Options]) -> type[Options]:
    """The class with a constructor that raises UsageError for an option that there is not."""
    known = [field.name for field in fields(options)]  # pyright: ignore[reportArgumentType]
    construct = options.__init__

    @wraps(construct)  # so that editors and `help` show the options
    def construct_known(self: Options, *positional: Any, **given: Any) -> None:
        for name in given:
            if name not in known:
                hint = did_you_mean(name, known) or f" There are: {', '.join(known)}."
                raise UsageError(f'A search has no option "{name}".{hint}')
        construct(self, *positional, **given)

    options.__init__ = construct_known
    return options


@_refusing_unknown_options
@dataclass(frozen=True)
class Query:
    """What is asked of a library. Raises UsageError for what cannot be asked and for an option that there is not.

    `texts`, `like` and `unlike` may each carry a weight: ("beach", 2.0). A word or two are asked as a label is, in
    several sentences about a photo, unless `literal` says to take them as they stand. `like` and `unlike` are
    pictures, or numbers of the library's own photos. Photos that show a concept of `without` are left out. `keywords`
    must occur in caption, tags or file name; beside other parts they only raise what has them. `least` says how well
    words have to fit a photo: with "any" the whole ranking is given, each hit with its strength, else only hits that
    are "strong", or at least "possible", or have the keywords. `diversity` from 0 to 1 spreads the results.

    Example:
        library.find(lexel.Query(texts="a red bicycle", after="2024", least="possible"))
    """

    texts: Sequence[WeightedText] | WeightedText = ()
    like: Sequence[Example] | Example = ()
    unlike: Sequence[Example] | Example = ()
    without: Sequence[str] | str = ()
    literal: bool = False
    keywords: str | None = None
    where: str | None = None
    folder: str | Path | None = None
    after: str | None = None
    before: str | None = None
    orientation: Orientation | None = None
    tag: str | None = None
    least_side: int | None = None
    least: Least = "any"
    top: int = 20
    page: int = 1
    diversity: float = 0.0
    approximate: bool | None = None  # see Vectors.search

    def __post_init__(self) -> None:
        if self.top < 1 or self.page < 1:
            raise UsageError("Pages and results are counted from 1.")
        if not 0 <= self.diversity <= 1:
            raise UsageError(f"Diversity goes from 0 (off) to 1, not {self.diversity}.")
        if self.least not in LEAST:
            hint = did_you_mean(str(self.least), LEAST)
            raise UsageError(f'least is one of {", ".join(LEAST)}, not "{self.least}".{hint}')
        given = [*_several(self.texts), *_several(self.like), *_several(self.unlike)]
        if not (given or self.keywords is not None or self.filter != Filter()):
            raise UsageError("Nothing is asked: give words, a picture that it should be like, keywords or a filter.")

    @property
    def filter(self) -> Filter:
        """The conditions that every hit has to meet."""
        return Filter(**{field.name: getattr(self, field.name) for field in fields(Filter)})

    @property
    def weighted_texts(self) -> list[tuple[str, float]]:
        """The words with their weights. Raises UsageError for what is no text, or empty, or has no weight above 0."""
        weighted = [_weighted(text) for text in _several(self.texts)]
        texts = check_texts([text for text, _ in weighted])
        if not all(text.strip() for text in texts):
            raise UsageError("The words to search for are empty.")
        return weighted

    @property
    def weighted_examples(self) -> tuple[list[tuple[ImageLike | int, float]], list[tuple[ImageLike | int, float]]]:
        """The pictures of `like` and of `unlike` with their weights. Raises UsageError for a weight not above 0."""
        like, unlike = ([_weighted(picture) for picture in _several(given)] for given in (self.like, self.unlike))
        return like, unlike

    @property
    def unwanted(self) -> list[str]:
        """The concepts that are not to be seen. Raises UsageError for empty ones."""
        texts = check_texts(_several(self.without))
        if not all(text.strip() for text in texts):
            raise UsageError("What is to be left out is empty.")
        return texts

    @property
    def words(self) -> list[str]:
        """The keywords. Raises UsageError for empty ones."""
        words = (self.keywords or "").split()
        if self.keywords is not None and not words:
            raise UsageError("The keywords are empty.")
        return words


def _several(given: Any) -> list[Any]:
    """What is given as a list, whether it is one thing, with or without its weight, or several."""
    is_weighted = isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], float)
    is_one = is_weighted or isinstance(given, str | bytes) or not isinstance(given, Sequence)
    return [given] if is_one else list(given)


def _weighted(given: Any) -> tuple[Any, float]:
    value, weight = given if isinstance(given, tuple) and len(given) == 2 else (given, 1.0)
    if not isinstance(weight, Real) or not 0 < float(weight) < float("inf"):
        raise UsageError(f"A weight is above 0, not {weight}. For less of something there is unlike and without.")
    return int(value) if isinstance(value, Integral) else value, float(weight)
