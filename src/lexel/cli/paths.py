"""Paths on standard output, as bytes, for other programs."""

import os
import sys
from collections.abc import Iterable


def print_paths(paths: Iterable[str], zero: bool) -> None:
    """One a line, or each ended by a NUL."""
    ends = b"\0" if zero else b"\n"
    sys.stdout.buffer.write(b"".join(os.fsencode(path) + ends for path in paths))
