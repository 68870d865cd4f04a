"""The words of the data path: a Pair, the Picture that it holds, and the Source that it came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from lexel.images import decode


class Picture(Protocol):
    """Anything that can be turned into pixels when they are needed, in whatever process needs them."""

    def load(self) -> Image.Image:
        """The picture as RGB, upright. Raises BadImageError when there is none to be had."""
        ...


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A picture in a file."""

    path: Path

    def load(self) -> Image.Image:
        return decode(self.path)


@dataclass(frozen=True, slots=True)
class EmbeddedImage:
    """A picture inside a table."""

    content: bytes

    def load(self) -> Image.Image:
        return decode(self.content)


@dataclass(frozen=True, slots=True)
class Pair:
    """One image with what is said of it. `key` is stable: the same image of the same source always has the same one."""

    key: str
    picture: Picture
    captions: tuple[str, ...] = ()
    label: str | None = None
    # The table's other columns, where `read_source` was asked to keep them; of several rows the first one's.
    extras: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Source:
    """Pairs read from one place, and how they were read."""

    name: str  # as the user wrote it
    pairs: Sequence[Pair]
    notes: tuple[str, ...] = ()  # which columns and split were taken, what was skipped: said to the user
    split: str | None = None
    splits: tuple[str, ...] = ()  # all that there are at this place, the one that was taken included

    @property
    def labels(self) -> list[str]:
        """The distinct labels, sorted."""
        return sorted({pair.label for pair in self.pairs if pair.label is not None})
