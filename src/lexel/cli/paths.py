"""Paths on standard output, as bytes, for other programs."""

import os
import sys
from collections.abc import Iterable

from lexel.errors import UsageError


def wants_paths(paths: bool, zero: bool, json: bool) -> bool:
    """Whether --paths is given, or -0, which means nothing else. Raises UsageError when --json is given too."""
    if json and (paths or zero):
        raise UsageError(f"{'--paths' if paths else '-0'} and --json are two ways of printing; give one.")
    return paths or zero


def print_paths(paths: Iterable[str], zero: bool) -> None:
    """One a line, or each ended by a NUL."""
    ends = b"\0" if zero else b"\n"
    sys.stdout.buffer.write(b"".join(os.fsencode(path) + ends for path in paths))
