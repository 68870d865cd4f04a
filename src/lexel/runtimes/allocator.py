"""How the process keeps its memory: by default a C library hands freed large blocks back to the system."""

import ctypes
import sys

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # parameters of glibc's mallopt
MAX_HEAP_BLOCK_BYTES = 1 << 30  # larger blocks are mapped by themselves and go back to the system when freed
MAX_FREE_HEAP_BYTES = (1 << 31) - 1  # at the heap's end before it shrinks; the largest number that mallopt takes


def keep_freed_memory() -> None:
    """Let the whole process reuse the memory that it frees, instead of getting new pages for every activation.

    Training on a CPU takes and frees the same large blocks in each step; a seventh of its time goes into new pages
    otherwise (docs/experiments.md). Does nothing where the C library is not glibc.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, MAX_HEAP_BLOCK_BYTES)
        mallopt(TRIM_THRESHOLD, MAX_FREE_HEAP_BYTES)
