"""ARO (Yüksekgönül et al. 2023): relations, attributes and the order of words.

As published: `visual_genome_relation.json` and `visual_genome_attribution.json`, lists of `image_path`, `true_caption`,
`false_caption` and the box (`bbox_x`, `bbox_y`, `bbox_w`, `bbox_h`) that is cut out of the picture; and files of COCO's
or Flickr's captions in another order, whose `caption_options` begin with the true one.
"""

from pathlib import Path
from typing import Any

from lexel.data.pairs import ImageFile, Pair, Picture
from lexel.errors import DataError
from lexel.evaluation.pictures.cropped import Box, CroppedPicture
from lexel.evaluation.published.annotations import (
    PictureFolder,
    Row,
    files_of_folder,
    image_folders,
    rows_in,
    text_of,
)
from lexel.evaluation.published.probe_source import CaptionChoice, ProbeSource
from lexel.terminal import counted

FILES = {
    "visual_genome_relation.json": "relation",
    "visual_genome_attribution.json": "attribution",
    "coco_order.json": "coco_order",
    "flickr30k_order.json": "flickr30k_order",
}
BOX = ("bbox_x", "bbox_y", "bbox_w", "bbox_h")
ADVICE = "Unpack ARO's images beside its captions."


def read_aro(path: Path, images: Path | None, name: str) -> ProbeSource:
    """The choices in a folder with some of ARO's files, or in one of them."""
    files = [path] if path.is_file() else files_of_folder(path, FILES, "ARO")
    folder = PictureFolder(image_folders(files[0].parent, images, ("images", "flickr30k-images")), ADVICE)
    pairs: dict[str, Pair] = {}
    choices = []
    for file in files:
        for number, row in enumerate(rows_in(file)):
            place = f"{file}, question {number + 1}"
            picture = text_of(row, ("image_path", "image", "filename"), place)
            box = _box(row, place)
            key = picture if box is None else f"{picture} {','.join(map(str, box))}"
            pairs.setdefault(key, Pair(key, _picture(folder.find(picture), box)))
            caption, wrong = _captions(row, place)
            choices.append(CaptionChoice(key, caption, wrong, FILES.get(file.name, file.stem), _detail(row)))
    folder.check(name)
    note = f"{len(choices):,} choices on {counted(len(pairs), 'image')} from {', '.join(file.name for file in files)}"
    return ProbeSource(name, list(pairs.values()), (note,), choices=tuple(choices))


def _captions(row: Row, place: str) -> tuple[str, tuple[str, ...]]:
    options = row.get("caption_options")
    if options is None:
        return text_of(row, ("true_caption",), place), (text_of(row, ("false_caption",), place),)
    if not isinstance(options, list) or len(options) < 2 or not all(isinstance(text, str) and text for text in options):
        raise DataError(f"{place}: caption_options is no list of two or more captions, the true one first.")
    return options[0], tuple(options[1:])


def _box(row: Row, place: str) -> Box | None:
    if not any(name in row for name in BOX):
        return None
    values = [row.get(name) for name in BOX]
    try:
        x, y, width, height = (int(value) for value in values)  # type: ignore[arg-type] - what it is not, int refuses
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"{place}: {', '.join(BOX)} are {values}, not four whole numbers.") from None
    if width < 1 or height < 1:
        raise DataError(f"{place}: its box of {width}×{height} pixels holds nothing.")
    return x, y, x + width, y + height


def _picture(path: Path, box: Box | None) -> Picture:
    return ImageFile(path) if box is None else CroppedPicture(path, box)


def _detail(row: Row) -> str:
    """The relation, or the pair of attributes."""
    found: Any = row.get("relation_name") or row.get("attributes") or ""
    return " and ".join(map(str, found)) if isinstance(found, list) else str(found)
