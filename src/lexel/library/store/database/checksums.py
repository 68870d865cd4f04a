"""Checksums of what a library keeps, with which `lexel library verify` finds damage that SQLite itself does not see.

CRC-32: it is for disks and cables that fail, not for people who mean harm. A value without one was written by an older
Lexel.
"""

import json
import zlib
from collections.abc import Iterable, Sequence


def of_bytes(content: bytes) -> int:
    """Of a vector or a thumbnail."""
    return zlib.crc32(content)


def of_values(values: Sequence[object]) -> int:
    """Of the facts of a file: numbers, texts and None, as SQLite gives them back."""
    return zlib.crc32(json.dumps(list(values)).encode())


def of_rows(rows: Iterable[Sequence[object]]) -> int:
    """Of a table's rows in any order."""
    return of_values(sorted(json.dumps(list(row)) for row in rows))
