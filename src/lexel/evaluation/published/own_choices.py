"""A probe of one's own: a table with an image, its caption and wrong captions in each row."""

from pathlib import Path
from typing import Any

from lexel.data.pairs import ImageFile, Pair
from lexel.errors import DataError
from lexel.evaluation.published.annotations import PictureFolder, Row, image_folders, rows_in, text_of
from lexel.evaluation.published.probe_source import CaptionChoice, ProbeSource
from lexel.terminal import counted

WRONG_COLUMNS = ("negative_caption", "negative_captions", "wrong", "wrong_caption", "wrong_captions", "false_caption")
ADVICE = "Paths in the table start at its own folder."


def read_own_choices(path: Path, images: Path | None, name: str) -> ProbeSource:
    """The choices in a table with the columns image, caption, negative_caption and perhaps kind."""
    folder = PictureFolder(image_folders(path.parent, images, ("images",)), ADVICE)
    pairs: dict[str, Pair] = {}
    choices = []
    for number, row in enumerate(rows_in(path)):
        place = f"{path}, row {number + 1}"
        picture = text_of(row, ("image", "filename", "file_name", "image_path"), place)
        pairs.setdefault(picture, Pair(picture, ImageFile(folder.find(picture))))
        caption = text_of(row, ("caption", "true_caption"), place)
        choices.append(CaptionChoice(picture, caption, _wrong(row, place), str(row.get("kind") or "")))
    folder.check(name)
    return ProbeSource(name, list(pairs.values()), (counted(len(choices), "choice"),), choices=tuple(choices))


def _wrong(row: Row, place: str) -> tuple[str, ...]:
    value: Any = next((row[column] for column in WRONG_COLUMNS if row.get(column)), None)
    texts = value if isinstance(value, list) else [value]
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise DataError(f"{place} has no {WRONG_COLUMNS[0]}. It has: {', '.join(map(str, row))}.")
    return tuple(text.strip() for text in texts)
