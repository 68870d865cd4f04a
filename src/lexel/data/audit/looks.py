"""What is known of each picture of a source after it was decoded once: half a kilobyte, in one array for all.

JPEGs are decoded at reduced scale, which reads the whole file all the same: what is cut off or damaged is found.
"""

import io
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from hashlib import blake2b
from multiprocessing import get_context

import numpy as np
from PIL import ImageStat

from lexel.batches import ahead, cores
from lexel.data.bad_images import BadImage
from lexel.data.pairs import ImageFile, Picture, Source, content_of
from lexel.data.picture_print import PRINT_SIDE, perceptual_hash, picture_print, small_greys
from lexel.errors import BadImageError
from lexel.images import decode, open_header
from lexel.progress import say, track

IN_MEMORY = "in memory"  # the format of a picture that is drawn when it is needed
DECODED_SIDE = 48  # pixels; no side is decoded to fewer than twice as many, unless it has fewer
CHUNK = 64  # pictures that a worker takes at a time
MIN_FOR_PROCESSES = 2000  # pictures; fewer are decoded before the processes have started
FLAT_SPREAD = 2.5  # grey levels; the standard deviation of a picture of one colour, noise included, is less

CHUNKS_AHEAD = 4  # begun and not yet asked for, for each core

_TURNED = range(5, 9)  # EXIF orientations that exchange width and height
_ORIENTATION = 0x0112

LOOK = np.dtype(
    [
        ("readable", np.bool_),
        ("width", np.uint32),  # upright
        ("height", np.uint32),
        ("bytes", np.uint64),  # of its file; 0 where it has none
        ("format", np.uint16),  # which of `Looks.formats`
        ("content", np.uint64, (2,)),  # hash of the file's bytes
        ("pixels", np.uint64, (2,)),  # hash of the pixels as they were decoded
        ("hash", np.uint64),  # perceptual
        ("grey", np.float32),  # mean, 0..255
        ("spread", np.float32),  # standard deviation of the channel that varies most
        ("print", np.uint8, (PRINT_SIDE, PRINT_SIDE, 3)),
    ]
)


@dataclass(frozen=True, slots=True)
class Looks:
    """One row for each pair of a source, in its order."""

    rows: np.ndarray  # (N,) of LOOK
    formats: tuple[str, ...]  # such as "JPEG RGB"
    bad: list[BadImage]

    @property
    def readable(self) -> np.ndarray:
        """Indices of the pictures that could be read."""
        return np.flatnonzero(self.rows["readable"])

    @property
    def flat(self) -> np.ndarray:
        """(N,) bool: of one colour."""
        return self.rows["readable"] & (self.rows["spread"] < FLAT_SPREAD)


@dataclass(frozen=True, slots=True)
class _Chunk:
    rows: np.ndarray
    formats: list[str]  # one for each row
    bad: list[tuple[int, str]]


def look_at(source: Source, processes: int = 0) -> Looks:
    """Decode every picture of the source, with progress shown: on threads, or on so many processes.

    Processes are faster for many small pictures. A script that asks for them needs the usual
    `if __name__ == "__main__":`.
    """
    count = len(source.pairs)
    rows, known, bad = np.zeros(count, LOOK), {}, []
    chunks = _chunks(source, processes if count >= MIN_FOR_PROCESSES else 0)
    for start, chunk in _tracked(chunks, f"Reading {source.name}", count):
        numbers = [known.setdefault(name, len(known)) for name in chunk.formats]
        rows[start : start + len(numbers)] = chunk.rows
        rows["format"][start : start + len(numbers)] = numbers
        bad += [BadImage(source.pairs[start + at].key, reason) for at, reason in chunk.bad]
    return Looks(rows, tuple(known), bad)


def _tracked(chunks: Iterator[tuple[int, _Chunk]], what: str, count: int) -> Iterator[tuple[int, _Chunk]]:
    """Pass the chunks on while progress is shown picture by picture."""

    def one_by_one() -> Iterator[tuple[int, _Chunk] | None]:
        for start, chunk in chunks:
            yield start, chunk
            yield from [None] * (len(chunk.rows) - 1)

    yield from (item for item in track(one_by_one(), what, total=count) if item is not None)


def _chunks(source: Source, processes: int) -> Iterator[tuple[int, _Chunk]]:
    """(first row, chunk) of all pictures, in order."""
    size = max(1, min(CHUNK, len(source.pairs) // (4 * max(processes, cores()))))
    starts = range(0, len(source.pairs), size)
    done = 0
    if processes > 1:
        try:
            for start, chunk in _worked_through(_process_pool(processes), source, starts, size):
                yield start, chunk
                done += 1
        except BrokenProcessPool:
            say("A process that read pictures was killed (memory?). The main process reads the rest alone.")
    yield from _worked_through(ThreadPoolExecutor(cores()), source, starts[done:], size)


def _worked_through(pool: Executor, source: Source, starts: range, size: int) -> Iterator[tuple[int, _Chunk]]:
    pictures = ([pair.picture for pair in source.pairs[start : start + size]] for start in starts)
    try:
        for start, chunk in zip(starts, ahead(pool, _look_at_all, pictures, CHUNKS_AHEAD * cores()), strict=True):
            yield start, chunk.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _process_pool(processes: int) -> Executor:
    # A process that is forked from one with threads may hang; one that is spawned starts clean.
    return ProcessPoolExecutor(processes, get_context("spawn"), initializer=_ignore_interrupts)


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers


def _look_at_all(pictures: Sequence[Picture]) -> _Chunk:
    chunk = _Chunk(np.zeros(len(pictures), LOOK), [IN_MEMORY] * len(pictures), [])
    for at, picture in enumerate(pictures):
        try:
            chunk.formats[at] = _look_at(picture, chunk.rows[at])
        except BadImageError as error:
            path = picture.path if isinstance(picture, ImageFile) else ""
            chunk.bad.append((at, str(error).removeprefix(f"{path}: ")))
    return chunk


def _look_at(picture: Picture, row: np.void) -> str:
    """Fill the picture's row, and return how it is stored. Raises BadImageError."""
    content = content_of(picture)
    if content is None:
        stored, image = IN_MEMORY, picture.load()
        row["width"], row["height"] = image.size
    else:
        image = decode(content, DECODED_SIDE)
        stored, (row["width"], row["height"]) = _header(content)
        row["bytes"] = len(content)
        row["content"] = _digest(content)
    row["pixels"] = _digest(image.tobytes(), salt=image.width.to_bytes(8, "big"))
    if content is None:
        row["content"] = row["pixels"]
    greys = small_greys(image)
    row["hash"] = perceptual_hash(greys)
    row["grey"] = greys.mean()
    row["spread"] = max(
        ImageStat.Stat(image).stddev
    )  # of all pixels: grass is no flat green, although a print of it is
    row["print"] = picture_print(image)
    row["readable"] = True
    return stored


def _header(content: bytes) -> tuple[str, tuple[int, int]]:
    """How a picture that can be decoded is stored, such as "JPEG CMYK", and its size when it is upright."""
    with open_header(io.BytesIO(content)) as image:
        width, height = image.size
        try:
            orientation = image.getexif().get(_ORIENTATION)
        except Exception:  # any: damaged EXIF costs the orientation, not the picture
            orientation = None
        size = (height, width) if orientation in _TURNED else (width, height)
        return f"{image.format} {image.mode}", size


def _digest(content: bytes, salt: bytes = b"") -> tuple[int, int]:
    digest = blake2b(content, digest_size=16, salt=salt).digest()
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big")
