"""Winoground (Thrush et al. 2022): two images and two captions of the same words in another order.

As published on the Hugging Face hub: `examples.jsonl` (`id`, `caption_0`, `caption_1`, `image_0`, `image_1`,
`collapsed_tag`) with the pictures of `images.zip` beside it, or a Parquet file that holds the pictures.
"""

from pathlib import Path
from typing import Any

from lexel.data.pairs import EmbeddedImage, ImageFile, Pair, Picture, TableImage
from lexel.errors import DataError
from lexel.evaluation.published.annotations import (
    PictureFolder,
    Row,
    files_of_folder,
    image_folders,
    rows_in,
    text_of,
)
from lexel.evaluation.published.probe_source import CaptionTwin, ProbeSource
from lexel.terminal import counted

FILES = ("examples.jsonl", "winoground.jsonl", "examples.json", "test.parquet", "examples.csv")
ADVICE = "Unpack images.zip of facebook/winoground beside the captions."


def read_winoground(path: Path, images: Path | None, name: str) -> ProbeSource:
    """The twins in a file or folder. Raises UsageError or DataError for what is missing."""
    file = path if path.is_file() else files_of_folder(path, FILES, "Winoground")[0]
    folder = PictureFolder(image_folders(file.parent, images, ("images",)), ADVICE)
    pairs, twins = [], []
    for number, row in enumerate(rows_in(file)):
        place = f"{file}, question {number + 1}"
        captions = text_of(row, ("caption_0",), place), text_of(row, ("caption_1",), place)
        keys = f"{row.get('id', number)}/0", f"{row.get('id', number)}/1"
        pairs += [Pair(key, _picture(row.get(f"image_{side}"), row, folder, place)) for side, key in enumerate(keys)]
        twins.append(CaptionTwin(keys, captions, _kind(row)))
    folder.check(name)
    return ProbeSource(name, pairs, (f"{counted(len(twins), 'pair')} of images from {file.name}",), twins=tuple(twins))


def _picture(value: Any, row: Row, folder: PictureFolder, place: str) -> Picture:
    match value:
        case str() if value:
            return ImageFile(folder.find(value))
        case TableImage():
            return value
        case bytes():
            return EmbeddedImage(value)
        case {"bytes": bytes() as content}:
            return EmbeddedImage(content)
        case {"path": str() as named} if named:
            return ImageFile(folder.find(named))
    raise DataError(f"{place} has no image_0 and image_1. It has: {', '.join(map(str, row))}.")


def _kind(row: Row) -> str:
    tag = row.get("collapsed_tag") or row.get("kind") or ""
    return str(tag).lower()
