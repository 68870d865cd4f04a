"""One writer at a time: who changes a library holds the lock of its folder meanwhile."""

import errno
import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lexel.errors import UsageError
from lexel.progress import say

LOCK_NAME = ".lock"
LOCK_PATIENCE = 10.0  # seconds: longer than what a watching process needs for a few files
_SILENT_SECONDS = 1.0


@contextmanager
def only_writer(folder: Path, patience: float | None = None) -> Iterator[None]:
    """Keep other processes and threads from changing the library; a killed holder's lock is gone with it.

    Waits up to `patience` seconds (10) for another holder. Raises UsageError after that, and where nothing can be
    written.
    """
    try:
        lock = open(folder / LOCK_NAME, "wb")  # noqa: SIM115
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise UsageError(f"{folder} cannot be written here: it can be searched, not changed.") from None
        raise
    with lock:
        _take(lock.fileno(), folder, LOCK_PATIENCE if patience is None else patience)
        yield


def _take(lock: int, folder: Path, patience: float) -> None:
    began, said = time.monotonic(), False
    while True:
        try:
            # Not lockf: its locks are the whole process's, and gone when any of its threads closes the file.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            waited = time.monotonic() - began
        if waited >= patience:
            raise UsageError(
                f"Another process is changing {folder}. Wait until it is done, then give the same command again.\n"
                "Searching it meanwhile is fine."
            )
        if waited >= _SILENT_SECONDS and not said:
            said = True
            say(f"Another process is changing {folder}; waiting for it.")
        time.sleep(0.1)
