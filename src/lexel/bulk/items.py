"""What is embedded in bulk: the pictures of a source, or texts; and how each is recognised again."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lexel.data.pairs import ImageFile, Pair, ShardImage, Source, TableImage
from lexel.identity import file_state


@dataclass(frozen=True, slots=True)
class TextRow:
    """One text of a file or of a table's column."""

    key: str  # the number of its line or row, from 1; 7/2 for the second text of row 7
    text: str | None  # None: the row has none
    extras: Mapping[str, Any] | None = None  # the table's other columns


@dataclass(frozen=True, slots=True)
class TextSource:
    """Texts read from one place."""

    name: str  # as the user wrote it
    rows: Sequence[TextRow]
    notes: tuple[str, ...] = ()


BulkItem = Pair | TextRow
ItemSource = Source | TextSource


def items_of(source: ItemSource) -> Sequence[BulkItem]:
    """All that is to be embedded, in the source's order."""
    return source.rows if isinstance(source, TextSource) else source.pairs


def kind_of(source: ItemSource) -> str:
    """ "images" or "texts"."""
    return "texts" if isinstance(source, TextSource) else "images"


def described(item: BulkItem) -> tuple[object, ...]:
    """What decides the row that an item becomes, but for its picture; its `repr` goes into digests that are stored."""
    if isinstance(item, TextRow):
        return item.key, item.text
    return item.key, item.captions, item.label


def pictures_state(items: Sequence[BulkItem]) -> str:
    """A digest of the size and time of the items' picture files: it changes with them."""
    digest = hashlib.blake2b(digest_size=8)
    for item in items:
        picture = item.picture if isinstance(item, Pair) else None
        if isinstance(picture, ImageFile | ShardImage | TableImage) and picture.path.exists():
            place = f" {picture.start}" if isinstance(picture, ShardImage) else ""
            place = f" {picture.group} {picture.row}" if isinstance(picture, TableImage) else place
            digest.update(f"{item.key} {file_state(picture.path)}{place}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
