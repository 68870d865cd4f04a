"""A picture file on its way into a library: it is read, hashed and decoded once, for the towers and the thumbnail.

It implements `Picture`, so the Encoder's decoder threads call `load()` while the towers compute. For a file that needs
no embedding `load()` raises BadImageError, and `state` says why.
"""

import hashlib
import io
import os
import stat
import threading
from dataclasses import dataclass, field
from typing import BinaryIO, Literal

from PIL import Image

from lexel.errors import BadImageError
from lexel.image_modes import Convention
from lexel.images import decode, to_rgb
from lexel.library.disk.photo_facts import read_facts
from lexel.library.store.changes import FileState, PhotoFacts
from lexel.library.store.contents import has_vector
from lexel.library.store.records import Records

MAX_THUMBNAIL_SIDE = 256  # pixels
JPEG_QUALITY = 75
MAX_ATTEMPTS = 3  # at a file that changes while it is read

State = Literal["waiting", "decoded", "known", "broken", "unread", "gone", "stopped"]


class Claims:
    """Remembers which contents are embedded, or are being embedded by this process. Many threads may ask at once."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._lock = threading.Lock()
        self._claimed: dict[bytes, str] = {}

    def is_known(self, digest: bytes, path: str) -> bool:
        """True: the content is embedded, or another file has claimed it. False: this file has claimed it now."""
        with self._lock:
            if self._claimed.setdefault(digest, path) != path:
                return True
            if has_vector(self._records, digest):
                del self._claimed[digest]
                return True
            return False

    def release(self, digest: bytes) -> None:
        """Give up the claim, because the content is in the records or its file cannot be read."""
        with self._lock:
            self._claimed.pop(digest, None)


@dataclass(slots=True)
class ReadingRules:
    """How files are read for one encoder."""

    claims: Claims
    at_least: int | None  # pixels, as `decode` has it
    convention: Convention
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True, eq=False)
class FilePicture:
    """One file. After `load` has returned or raised, `state` says how it ended:

    decoded: the pixels and a thumbnail were made; known: another file has or gets the same embedding; broken: the file
    cannot be decoded until it changes; unread: it may be readable the next time; gone: the file is no longer there;
    stopped: the run was asked to end.
    """

    path: str
    reading: ReadingRules
    text: int = 0  # stamp of the text file beside it
    state: State = "waiting"
    reason: str = ""
    digest: bytes = b""
    file: FileState = field(default_factory=lambda: FileState(0, 0))
    facts: PhotoFacts = field(default_factory=PhotoFacts)
    thumbnail: bytes = b""

    def load(self) -> Image.Image:
        """The pixels for the towers. Raises BadImageError where the file needs no embedding or cannot be decoded."""
        if self.reading.stop.is_set():
            raise self._ended("stopped", "stopped")
        try:
            for _ in range(MAX_ATTEMPTS):
                image = self._read()
                if image is not None:
                    return image
        except FileNotFoundError:
            raise self._ended("gone", "no such file") from None
        except OSError as error:
            raise self._ended("unread", error.strerror or str(error)) from None
        raise self._ended("unread", "it changes while it is read")

    def _read(self) -> Image.Image | None:
        """The pixels; None when the file changed while it was read."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe in its place would block for ever
        with open(descriptor, "rb") as file:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                raise self._ended("gone", "not a file")
            self.file = FileState.of(before)
            self.digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()
            self.facts = read_facts(_rewound(file))
            if self.reading.claims.is_known(self.digest, self.path):
                if self._has_changed(descriptor):
                    return None
                raise self._ended("known", "known")
            try:
                image = decode(_rewound(file), self.reading.at_least, self.reading.convention)
                self.thumbnail = make_thumbnail(image)
            except BadImageError as error:
                if self._has_changed(descriptor):
                    self.reading.claims.release(self.digest)
                    return None
                raise self._ended("broken", str(error)) from error
            if self._has_changed(descriptor):
                self.reading.claims.release(self.digest)
                return None
        self.state = "decoded"
        return image

    def _has_changed(self, descriptor: int) -> bool:
        now = os.fstat(descriptor)
        return (now.st_size, now.st_mtime_ns) != (self.file.size, self.file.mtime_ns)

    def _ended(self, state: State, reason: str) -> BadImageError:
        self.state, self.reason = state, reason
        return BadImageError(f"{self.path}: {reason}")


def make_thumbnail(image: Image.Image) -> bytes:
    """A JPEG of at most 256 pixels a side of an upright picture that `decode` gave."""
    if image.mode != "RGB":
        image = image.copy()
        image.info.pop("exif", None)  # it is upright, and would be turned again
        image.info.pop("XML:com.adobe.xmp", None)
        image = to_rgb(image)
    scale = MAX_THUMBNAIL_SIDE / max(image.size)
    if scale < 1:
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        image = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2)
    content = io.BytesIO()
    image.save(content, "JPEG", quality=JPEG_QUALITY, comment=b"")
    return content.getvalue()


def _rewound(file: BinaryIO) -> BinaryIO:
    file.seek(0)
    return file
