"""What is in a source and what is wrong with it: every picture decoded, every caption read. Facts, and warnings."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any
from unicodedata import category

import numpy as np

from lexel.data.bad_images import BadImage
from lexel.data.pairs import ImageFile, Pair, Source
from lexel.errors import BadImageError
from lexel.images import describe
from lexel.progress import track

LISTED_VALUES = 20  # of labels, and of captions that several images share
MIN_SIDE = 32  # pixels; a warning counts the pictures with a shorter side
MAX_SHARED_CAPTION = 0.01  # share of the images with the same caption; above it there is a warning

_CAMERA_NAME = re.compile(
    r"(img|dsc[nf]?|dcim|pict?|image|photo|screenshot|wp|pxl|mvi)[-_ ]?\d[-_ \d]*|\d{5,}", re.IGNORECASE
)
_FILE_NAME = re.compile(r"\S+\.(jpe?g|png|webp|gif|tiff?|bmp|heic)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Spread:
    """How a number varies over the source."""

    least: float
    median: float
    percentile_95: float
    most: float


@dataclass(frozen=True, slots=True)
class Audit:
    """The facts of a source. Counts are of images, or of captions where the name says so."""

    source: str
    notes: tuple[str, ...]
    images: int
    with_captions: int
    with_labels: int
    captions: int
    distinct_captions: int
    captions_per_image: Spread | None
    caption_words: Spread | None
    shared_captions: int  # distinct captions that are said of several images
    most_shared_captions: list[tuple[str, int]]
    wordless_captions: list[str]  # without a letter or a digit
    file_name_captions: list[str]  # IMG_0123, holiday.jpg
    unprintable_captions: list[str]  # with control characters or wrongly decoded ones
    labels: int
    frequent_labels: list[tuple[str, int]]
    widths: Spread | None
    heights: Spread | None
    small_images: int
    formats: dict[str, int]  # such as "JPEG RGB", most frequent first
    duplicates: list[list[str]]  # keys of images whose pixels are all the same
    unreadable: list[BadImage]

    def to_json(self) -> dict[str, Any]:
        """All facts and warnings as plain lists and dictionaries."""
        return {**asdict(self), "warnings": self.warnings}

    @property
    def warnings(self) -> list[str]:
        """What a user should look at before training, one sentence each."""
        found = [
            (len(self.unreadable), "images cannot be read; they are left out of training and counted there"),
            (self.images - self.with_captions if self.with_captions else 0, "images have no caption, others do"),
            (self.images - self.with_labels if self.with_labels else 0, "images have no label, others do"),
            (sum(map(len, self.duplicates)), f"images are equal to another, in {len(self.duplicates):,} groups"),
            (self.small_images, f"images have a side under {MIN_SIDE} pixels"),
            (len(self.file_name_captions), f"captions are file names{_example(self.file_name_captions)}"),
            (len(self.wordless_captions), f"captions have no letter or digit{_example(self.wordless_captions)}"),
            (
                len(self.unprintable_captions),
                f"captions hold unprintable characters{_example(self.unprintable_captions)}",
            ),
        ]
        sentences = [f"{count:,} {what}." for count, what in found if count]
        for caption, count in self.most_shared_captions[:1]:
            if count > max(MAX_SHARED_CAPTION * self.images, 1):
                sentences.append(f'{count:,} images have the same caption "{caption}"; a model cannot tell them apart.')
        return sentences


@dataclass(frozen=True, slots=True)
class _Look:
    """What is known of one image after it was decoded."""

    width: int
    height: int
    format: str
    digest: bytes


def audit(source: Source) -> Audit:
    """Decode every image of a source and read every caption; minutes for large ones, with progress shown."""
    looks: dict[str, _Look] = {}
    unreadable: list[BadImage] = []
    for pair, look in track(_look_at_all(source.pairs), f"Reading {source.name}", total=len(source.pairs)):
        if isinstance(look, BadImage):
            unreadable.append(look)
        else:
            looks[pair.key] = look
    captions = [caption for pair in source.pairs for caption in pair.captions]
    images_of = Counter(caption for pair in source.pairs for caption in set(pair.captions))
    shared = Counter({caption: count for caption, count in images_of.items() if count > 1})
    labels = Counter(pair.label for pair in source.pairs if pair.label is not None)
    captioned = [len(pair.captions) for pair in source.pairs if pair.captions]
    return Audit(
        source=source.name,
        notes=source.notes,
        images=len(source.pairs),
        with_captions=len(captioned),
        with_labels=labels.total(),
        captions=len(captions),
        distinct_captions=len(images_of),
        captions_per_image=_spread(captioned),
        caption_words=_spread([len(caption.split()) for caption in captions]),
        shared_captions=len(shared),
        most_shared_captions=shared.most_common(LISTED_VALUES),
        wordless_captions=[caption for caption in captions if not any(map(str.isalnum, caption))],
        file_name_captions=[caption for caption in captions if _is_file_name(caption)],
        unprintable_captions=[caption for caption in captions if _is_unprintable(caption)],
        labels=len(labels),
        frequent_labels=labels.most_common(LISTED_VALUES),
        widths=_spread([look.width for look in looks.values()]),
        heights=_spread([look.height for look in looks.values()]),
        small_images=sum(min(look.width, look.height) < MIN_SIDE for look in looks.values()),
        formats=dict(Counter(look.format for look in looks.values()).most_common()),
        duplicates=_duplicates(looks),
        unreadable=unreadable,
    )


def _look_at_all(pairs: Sequence[Pair]) -> Iterator[tuple[Pair, _Look | BadImage]]:
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for start in range(0, len(pairs), 256):  # a few at a time, so that Ctrl-C takes effect soon
            part = pairs[start : start + 256]
            yield from zip(part, threads.map(_look_at, part), strict=True)


def _look_at(pair: Pair) -> _Look | BadImage:
    try:
        image = pair.picture.load()
    except BadImageError as error:
        path = pair.picture.path if isinstance(pair.picture, ImageFile) else ""
        return BadImage(pair.key, str(error).removeprefix(f"{path}: "))
    stored = " ".join(describe(pair.picture.path)) if isinstance(pair.picture, ImageFile) else "in memory"
    digest = blake2b(image.tobytes(), digest_size=16, salt=image.width.to_bytes(8, "big"))
    return _Look(image.width, image.height, stored, digest.digest())


def _duplicates(looks: dict[str, _Look]) -> list[list[str]]:
    groups: defaultdict[bytes, list[str]] = defaultdict(list)
    for key, look in looks.items():
        groups[look.digest].append(key)
    return [keys for keys in groups.values() if len(keys) > 1]


def _spread(values: Sequence[int]) -> Spread | None:
    if not values:
        return None
    return Spread(*(float(value) for value in np.percentile(values, [0, 50, 95, 100])))


def _is_file_name(caption: str) -> bool:
    return bool(_FILE_NAME.fullmatch(caption) or _CAMERA_NAME.fullmatch(caption))


def _is_unprintable(caption: str) -> bool:
    """Control, private, unassigned and replacement characters; joiners and marks of direction are part of writing."""
    return any((category(sign) in ("Cc", "Co", "Cs", "Cn") and not sign.isspace()) or sign == "�" for sign in caption)


def _example(captions: list[str]) -> str:
    return f", such as {captions[0]!r}" if captions else ""
