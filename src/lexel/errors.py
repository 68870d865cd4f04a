"""What Lexel raises for a user's mistake or a damaged file.

The message is written where the fact is known: what is wrong, where, what to do next, in one to three lines.
`cli/main.py` renders it once, without a traceback, and exits with `exit_status`.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class LexelError(Exception):
    """Something that the user can understand and mend went wrong while working."""

    exit_status = 1


class UsageError(LexelError):
    """The request itself cannot be meant: an unknown name, a missing file, a wrong option."""

    exit_status = 2


class UnfitSettingError(UsageError):
    """A setting names a column or an encoding of a source that has no such thing."""


class DataError(LexelError):
    """A source cannot be read, or too much of it is damaged."""


class BadImageError(DataError):
    """One picture cannot be decoded; long jobs count it, name it and go on."""


class ModelError(LexelError):
    """A model folder or snapshot is incomplete, damaged or does not fit together."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean "x"?` for the nearest known word, or an empty string when none is near."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f' Did you mean "{near[0]}"?' if near else ""
