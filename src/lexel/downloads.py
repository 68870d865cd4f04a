"""One file over HTTP, never fetched twice: what has arrived is kept beside the target and goes on where it stopped.

The target appears whole and checked or not at all.
"""

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from lexel.errors import LexelError
from lexel.identity import sha256_of

Progress = Callable[[str, int, int | None], None]  # file name, bytes that are here, bytes in all where known

CHUNK_BYTES = 1 << 20
TIMEOUT_SECONDS = 30.0  # without a byte
MAX_IDLE_ATTEMPTS = 5  # in a row without a single new byte
PAUSE_SECONDS = 1.0  # between attempts
PARTIAL_SUFFIX = ".partial"
_CUT = (ConnectionError, TimeoutError, http.client.HTTPException, urllib.error.URLError)


class ConnectionLostError(LexelError):
    """The server cannot be reached, or no more. What has arrived is kept."""

    def __init__(self, remote: "RemoteFile", reason: object, kept: int) -> None:
        self.kept = kept  # bytes
        super().__init__(
            f"{remote.name} could not be fetched from {remote.url}: {reason}.\n"
            f"  {kept:,} bytes of it are kept; the same command goes on from there."
        )


@dataclass(frozen=True)
class RemoteFile:
    """A file at a URL, and what it must be."""

    url: str
    name: str  # for people
    size: int | None = None
    digest: str | None = (
        None  # SHA-256 (64 hex digits) or its start, or git's SHA-1 (40), which hubs have of small files
    )
    headers: Mapping[str, str] = field(default_factory=dict)  # never passed on when the server redirects elsewhere


def download(remote: RemoteFile, target: Path, progress: Progress | None = None) -> None:
    """Fetch the file to `target`; an earlier, interrupted attempt is continued.

    Raises ConnectionLostError, LexelError (refused, or not the bytes that they must be), OSError (a full disk, say).
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + PARTIAL_SUFFIX)
    try:
        _complete(remote, partial, progress or (lambda *_: None))
        if remote.digest is not None and not _digest(partial, remote.digest).startswith(remote.digest):
            partial.unlink()
            raise LexelError(
                f"{remote.name} arrived damaged: it is not the file that {remote.url} should be. It was removed.\n"
                "  The same command fetches it again; if that fails too, a proxy may be changing downloads."
            )
        partial.replace(target)
    except OSError as error:
        error.filename = str(partial)  # a full disk names none
        raise


def _complete(remote: RemoteFile, partial: Path, progress: Progress) -> None:
    """Append to the partial file until it is whole."""
    failures = 0
    while True:
        had = _size(partial)
        if had and had == remote.size:
            return
        if remote.size is not None and had > remote.size:
            partial.unlink()
            had = 0
        try:
            if _append(remote, partial, had, progress):
                return
        except urllib.error.HTTPError as error:
            if error.code == 416:  # nothing lies beyond what is here: all of it, or more than the file has now
                if (error.headers.get("Content-Range") or "").endswith(f"/{had}"):
                    return
                partial.unlink(missing_ok=True)
            elif error.code != 429 and error.code < 500:
                raise LexelError(_refusal(remote, error.code)) from None
            reason = f"the server answers {error.code}"
        except _CUT as error:
            reason = getattr(error, "reason", error)
        else:
            reason = "the connection was cut"
        failures = failures + 1 if _size(partial) <= had else 0
        if failures >= MAX_IDLE_ATTEMPTS:
            raise ConnectionLostError(remote, reason, _size(partial))
        time.sleep(PAUSE_SECONDS)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _append(remote: RemoteFile, partial: Path, had: int, progress: Progress) -> bool:
    """Ask for the bytes from `had` on and write what comes. → whether the file is whole now"""
    request = urllib.request.Request(remote.url, headers={"User-Agent": "lexel", "Accept-Encoding": "identity"})
    for key, value in remote.headers.items():
        request.add_unredirected_header(key, value)
    if had:
        request.add_header("Range", f"bytes={had}-")
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
        if response.status != 206:  # the server does not know how to continue
            had = 0
        length = response.headers.get("Content-Length")
        total = had + int(length) if length else remote.size
        with open(partial, "r+b" if partial.exists() else "wb") as file:
            file.truncate(had)
            file.seek(had)
            here = _copy(response, file, had, lambda here: progress(remote.name, here, total))
    return here == total if total is not None else True


def _copy(response: http.client.HTTPResponse, file: BinaryIO, here: int, on_progress: Callable[[int], None]) -> int:
    on_progress(here)
    while chunk := response.read(CHUNK_BYTES):
        file.write(chunk)
        here += len(chunk)
        on_progress(here)
    file.flush()
    os.fsync(file.fileno())
    return here


def _digest(path: Path, expected: str) -> str:
    if len(expected) != 40:
        return sha256_of(path)
    with open(path, "rb") as file:
        start = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
        return hashlib.file_digest(file, lambda: start).hexdigest()


def _refusal(remote: RemoteFile, status: int) -> str:
    why = {401: "it wants a login", 403: "it forbids it", 404: "it is not there", 410: "it is not there any more"}
    return f"{remote.name} could not be fetched from {remote.url}: {why.get(status, f'the server answers {status}')}."
