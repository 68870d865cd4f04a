"""Captions that a regular expression finds, within a time: some expressions take for ever on some texts.

The search runs in a process of its own, which is ended when the time is over; nothing else stops Python's `re`.
"""

import re
from collections.abc import Iterable
from multiprocessing import TimeoutError as ProcessTimeoutError
from multiprocessing import get_context

from lexel.errors import UsageError

SECONDS = 20.0  # for CAPTIONS_AT_ONCE; a plain expression takes a hundredth of a second
CAPTIONS_AT_ONCE = 10_000


def check_pattern(pattern: str) -> str:
    """The pattern, if it is a regular expression. Raises UsageError saying where it is wrong."""
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise UsageError(f'"{pattern}" is no regular expression: {error}.') from None
    return pattern


def captions_found(pattern: str, captions: Iterable[str], seconds: float = SECONDS) -> set[str]:
    """Those of the captions in which the regular expression finds something, in any case of letters.

    Raises UsageError for a wrong pattern, and for one that takes longer than `seconds` for 10,000 captions.

        captions_found(r"stock photo|©", ["A dog", "Stock photo of a dog"])  →  {"Stock photo of a dog"}
    """
    check_pattern(pattern)
    distinct = list(dict.fromkeys(captions))
    found: set[str] = set()
    if not distinct:
        return found
    with get_context("spawn").Pool(1) as process:  # ended when the block is left
        for start in range(0, len(distinct), CAPTIONS_AT_ONCE):
            part = distinct[start : start + CAPTIONS_AT_ONCE]
            try:
                hits = process.apply_async(_search, (pattern, part)).get(seconds)
            except ProcessTimeoutError:
                raise UsageError(
                    f'The pattern "{pattern}" takes more than {seconds:g} s on {len(part):,} captions: it tries too '
                    "many ways.\n  Make it simpler; repeats within repeats, such as (a+)+, are the usual cause."
                ) from None
            found.update(part[index] for index in hits)
    return found


def _search(pattern: str, captions: list[str]) -> list[int]:
    search = re.compile(pattern, re.IGNORECASE).search
    return [index for index, caption in enumerate(captions) if search(caption)]
