"""Another model for a library: every picture is embedded again, and one transaction puts the new vectors in place.

The new vectors grow in a table of their own, under their model's fingerprint. A library whose process is killed at any
instant still has all vectors of the old model; the same call goes on.
"""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from PIL import Image

from lexel.encoder import Encoder
from lexel.errors import BadImageError
from lexel.image_modes import Convention
from lexel.images import decode
from lexel.library.model import LibraryModel
from lexel.library.store.contents import paths_of_content
from lexel.library.store.database.paths import readable
from lexel.library.store.next_vectors import (
    add_next_vectors,
    begin_next_vectors,
    contents_left,
    next_vector_count,
    replace_vectors,
)
from lexel.library.store.records import Records
from lexel.progress import say, track
from lexel.terminal import counted
from lexel.unit_vectors import check_finite

PICTURES_PER_TRANSACTION = 128


class _SameContent:
    """The Picture of one content, read from the first of its files that still has it."""

    def __init__(self, encoder: Encoder, digest: bytes, paths: Sequence[str]) -> None:
        self._at_least = None if encoder.exact else encoder.preprocessing.image_size
        self._convention: Convention = encoder.preprocessing.convention
        self._digest = digest
        self._paths = paths

    def load(self) -> Image.Image:
        for path in self._paths:
            try:
                content = Path(path).read_bytes()
            except OSError:
                continue
            if hashlib.blake2b(content, digest_size=16).digest() == self._digest:
                return decode(content, self._at_least, self._convention)
        raise BadImageError("it is gone or has changed")


def reembed(records: Records, model: LibraryModel) -> None:
    """Replace all vectors by those of the model; does nothing where they are its own already.

    Pictures that cannot be read now count as vanished, and are embedded when they are back.
    """
    encoder = model.encoder
    if records.fingerprint in (None, encoder.fingerprint):
        model.remember(records)
        return
    begin_next_vectors(records, encoder.fingerprint)
    left = contents_left(records)
    if kept := next_vector_count(records):
        say(f"{counted(kept, 'picture is', 'pictures are')} embedded by the new model already; {len(left):,} to go.")
    for _ in track(_embedded(records, encoder, left), "Embedding again", len(left)):
        pass
    _put_in_place(records, model)


def _embedded(records: Records, encoder: Encoder, left: Sequence[tuple[int, bytes]]) -> Iterator[int]:
    rest = iter(left)
    while chunk := list(islice(rest, PICTURES_PER_TRANSACTION)):
        paths = [paths_of_content(records, content) for content, _ in chunk]
        pictures = [_SameContent(encoder, digest, known) for (_, digest), known in zip(chunk, paths, strict=True)]
        vectors, kept, _ = encoder.embed_readable(pictures, None)
        check_finite(vectors, [readable(paths[index][0]) for index in kept], encoder.name)
        with records.changing() as changes:
            add_next_vectors(changes, ((chunk[index][0], vector) for index, vector in zip(kept, vectors, strict=True)))
        yield from (content for content, _ in chunk)


def _put_in_place(records: Records, model: LibraryModel) -> None:
    with records.changing() as changes:
        lost = replace_vectors(changes)
        model.write(changes)
    if lost:
        first = readable(lost[0])
        say(f"Unreadable: {counted(len(lost), 'photo')}, such as {first}. What is found again comes back.")
