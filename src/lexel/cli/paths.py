"""Paths on standard output, as bytes, for other programs."""

import os
import sys
from collections.abc import Iterable

from lexel.errors import UsageError
from lexel.progress import say
from lexel.terminal import one_line


def wants_paths(paths: bool, zero: bool, json: bool) -> bool:
    """Whether --paths is given, or -0, which means nothing else. Raises UsageError when --json is given too."""
    if json and (paths or zero):
        raise UsageError(f"{'--paths' if paths else '-0'} and --json are two ways of printing; give one.")
    return paths or zero


def print_paths(paths: Iterable[str], zero: bool) -> None:
    """Each as it is and ended by a NUL, or one a line, with control characters escaped."""
    if zero:
        sys.stdout.buffer.write(b"".join(os.fsencode(path) + b"\0" for path in paths))
        return
    given = list(paths)
    shown = [one_line(path) for path in given]
    sys.stdout.buffer.write(b"".join(os.fsencode(path) + b"\n" for path in shown))
    escaped = sum(path != line for path, line in zip(given, shown, strict=True))
    if escaped:
        say(f"{escaped:,} of these paths hold control characters, which are escaped here. -0 gives them as they are.")
