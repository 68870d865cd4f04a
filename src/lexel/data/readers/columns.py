"""Which column of a table is the image, which the captions, the label, the split: by name, else by what it holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from lexel.data.readers.paths import clean_path, find_root, has_image_extension
from lexel.data.readers.table import Table
from lexel.errors import DataError, UsageError, did_you_mean

# In order of preference; compared in lower case, with _ for blanks and hyphens.
IMAGE_NAMES = (
    *("file_name", "filename", "file_path", "filepath", "image_path", "image_file", "image_name", "img_path"),
    *("img_name", "path", "file", "image", "img", "picture", "photo", "images"),
)
CAPTION_NAMES = (
    *("captions", "caption", "text", "texts", "sentences", "sentence", "title", "titles", "description"),
    *("descriptions", "comment", "comments", "raw_caption", "caption_text", "alt_text", "alt", "prompt"),
)
LABEL_NAMES = ("label_name", "class_name", "label", "labels", "class", "category", "categories", "class_label")
SPLIT_NAMES = ("split",)

_SAMPLE = 50  # values that are looked at


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user said of the columns."""

    image: str | None = None
    caption: str | None = None
    label: str | None = None
    text_required: bool = True


@dataclass(frozen=True, slots=True)
class Roles:
    """The columns taken."""

    image: str
    caption: str | None
    label: str | None
    split: str | None

    def __str__(self) -> str:
        taken = [f'image from "{self.image}"']
        taken += [f'captions from "{self.caption}"'] if self.caption else []
        taken += [f'label from "{self.label}"'] if self.label else []
        return ", ".join(taken)


def choose_columns(table: Table, wanted: Wanted) -> Roles:
    """The columns that the user named, and for the rest those that fit. Raises UsageError listing what there is."""
    image = _said(table, wanted.image, "image") or _find_image(table)
    label = _said(table, wanted.label, "label") or _named(table, LABEL_NAMES, taken=(image, wanted.caption))
    caption = _said(table, wanted.caption, "caption") or _named(table, CAPTION_NAMES, taken=(image, label))
    split = _named(table, SPLIT_NAMES, taken=(image, label, caption))
    if caption is None and label is None:
        caption = _only_prose(table, besides=(image, split))
        if caption is None and wanted.text_required and len(table.columns) > 1:
            raise UsageError(
                f"{table.path} has no caption column.\n"
                f'  It has: {", ".join(table.columns)}. Took "{image}" for the image.\n'
                "  Name the caption column: --set data.caption=NAME"
            )
    return Roles(image, caption, label, split)


def _said(table: Table, name: str | None, role: str) -> str | None:
    if name is None or name in table.columns:
        return name
    raise UsageError(
        f'{table.path} has no column "{name}" for the {role}.{did_you_mean(name, table.columns)}\n'
        f"  It has: {', '.join(table.columns)}."
    )


def _named(table: Table, names: Sequence[str], taken: Sequence[str | None]) -> str | None:
    plain = {_plain(column): column for column in reversed(table.columns) if column not in taken}
    return next((plain[name] for name in names if name in plain), None)


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _find_image(table: Table) -> str:
    plain = {_plain(column): column for column in reversed(table.columns)}
    for name in IMAGE_NAMES:
        if name in plain and _holds_pictures(table, plain[name], by_name=True):
            return plain[name]
    for column in table.columns:
        if _holds_pictures(table, column, by_name=False):
            return column
    addresses = next((column for column, values in table.columns.items() if _are_addresses(values)), None)
    if addresses:
        raise DataError(
            f'{table.path}: "{addresses}" holds addresses on the web, and Lexel fetches nothing.\n'
            "  Download the pictures first (img2dataset does that), then name the table that lists the files."
        )
    raise UsageError(
        f"{table.path} has no column of image files that are there. It has: {', '.join(table.columns)}.\n"
        f"  Looked beside the table, in {table.path.parent}. Name the image column: --set data.image=NAME"
    )


def _holds_pictures(table: Table, column: str, *, by_name: bool) -> bool:
    values = _first(table.columns[column])
    if values and all(is_embedded(value) for value in values):
        return True
    if _are_addresses(values):
        return False
    names = [clean_path(value) for value in values if isinstance(value, str)]
    look_like_it = 2 * sum(map(has_image_extension, names)) > len(values)
    if look_like_it and by_name:
        return True
    return (look_like_it or by_name) and find_root(table.path.parent, names) is not None


def is_embedded(value: Any) -> bool:
    """Whether a value is a picture itself, as Hugging Face's tables hold them."""
    return isinstance(value, bytes) or (isinstance(value, dict) and isinstance(value.get("bytes"), bytes))


def _are_addresses(values: Sequence[Any]) -> bool:
    values = _first(values)
    found = sum(isinstance(value, str) and value.startswith(("http://", "https://", "s3://")) for value in values)
    return 2 * found > len(values)


def _only_prose(table: Table, besides: Sequence[str | None]) -> str | None:
    """The one column that mostly holds several words, or None where there are none or more."""
    prose = [name for name, values in table.columns.items() if name not in besides and _is_prose(values)]
    return prose[0] if len(prose) == 1 else None


def _is_prose(values: Sequence[Any]) -> bool:
    sample = values[:_SAMPLE]
    words = [str(value[0]) if isinstance(value, list) and value else value for value in sample]
    return 2 * sum(isinstance(text, str) and len(text.split()) > 1 for text in words) > len(sample)


def _first(values: Sequence[Any]) -> list[Any]:
    return list(islice((value for value in values if value not in (None, "")), _SAMPLE))
