"""A pair as it is stored in a shard: the picture resized once, or its file as it is where that is small enough."""

import io
import json
from dataclasses import dataclass

from PIL import Image

from lexel.data.packing.settings import PackSettings
from lexel.data.pairs import ImageFile, Pair, Picture, ShardImage, content_of
from lexel.data.readers.tables.column_names import WEIGHTS_COLUMN
from lexel.data.shards.samples import OWN_FIELDS, PAIR_KEY
from lexel.errors import BadImageError
from lexel.images import decode, describe

KEPT_FORMATS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}  # that are stored as they are where they are small enough
SUFFIXES = {"jpeg": "jpg", "webp": "webp"}


@dataclass(frozen=True, slots=True)
class PackedSample:
    """The members of a tar for one pair."""

    pair: Pair
    suffix: str  # of the picture
    picture: bytes
    text: bytes  # the first caption, for programs that read no more
    facts: bytes  # the .json


@dataclass(frozen=True, slots=True)
class Dropped:
    """A pair that is not packed, and why."""

    key: str
    reason: str  # one of few, to be counted
    detail: str


def pack_sample(pair: Pair, settings: PackSettings) -> PackedSample | Dropped:
    """The pair as it is stored, or why it is not."""
    try:
        suffix, picture, (width, height) = _pack_picture(pair.picture, settings)
    except BadImageError as error:
        detail = str(error)
        path = pair.picture.path if isinstance(pair.picture, ImageFile | ShardImage) else None
        reason = detail.removeprefix(f"{path}: ").rpartition(": ")[2] if path is not None else detail
        return Dropped(pair.key, reason.partition(" (")[0], detail)
    facts = {PAIR_KEY: pair.key, "captions": list(pair.captions), "width": width, "height": height}
    if pair.caption_weights:
        facts[WEIGHTS_COLUMN] = list(pair.caption_weights)
    if pair.label is not None:
        facts["label"] = pair.label
    for name, value in (pair.extras or {}).items():
        if name != "split" and value is not None:
            facts[f"original_{name}" if name in OWN_FIELDS else name] = value
    text = pair.captions[0].encode("utf-8", "replace") if pair.captions else b""
    written = json.dumps(facts, ensure_ascii=False, default=str).encode("utf-8", "replace")
    return PackedSample(pair, suffix, picture, text, written)


def _pack_picture(picture: Picture, settings: PackSettings) -> tuple[str, bytes, tuple[int, int]]:
    """Suffix and content of the stored file, and the size of the picture that it holds."""
    content = content_of(picture)
    if content is None:
        image = picture.load()
    else:
        # Decoded whole even where it is kept: what cannot be read is found now and not in training.
        image = decode(content, settings.size)
        if min(image.size) <= settings.size and (suffix := KEPT_FORMATS.get(describe(content)[0])):
            return suffix, content, image.size
    image = _shrink(image, settings.size)
    stored = io.BytesIO()
    if settings.format == "jpeg":
        image.save(stored, "JPEG", quality=settings.chosen_quality, subsampling=0)
    else:
        image.save(stored, "WEBP", quality=settings.chosen_quality, method=4)
    return SUFFIXES[settings.format], stored.getvalue(), image.size


def _shrink(image: Image.Image, size: int) -> Image.Image:
    """The picture with its shorter side of this many pixels; one that is smaller stays as it is."""
    shortest = min(image.size)
    if shortest <= size:
        return image
    width, height = (max(1, round(side * size / shortest)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC)
