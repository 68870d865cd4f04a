"""Which column of a table is the image, which the captions, the label, the split: by name, else by what it holds."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from lexel.data.readers.lookup import find_files, is_absolute_anywhere, pictures_below
from lexel.data.readers.paths import clean_path, find_root, has_image_extension, place_to_search, spread
from lexel.data.readers.tables.caption_columns import CaptionColumns, Captions, caption_columns, check_column
from lexel.data.readers.tables.column_names import (
    CAPTION_NAMES,
    ID_NAMES,
    IMAGE_NAMES,
    LABEL_NAMES,
    SPLIT_NAMES,
    WEIGHTS_COLUMN,
    plain_name,
    several_of,
)
from lexel.data.readers.tables.table import Table
from lexel.data.readers.tables.values import NotTextError, captions_in, is_embedded, path_text
from lexel.errors import DataError, UnfitSettingError, UsageError

MAX_NAME_LENGTH = 1000  # of a path; longer texts are captions
_SAMPLE = 50  # values that are looked at


@dataclass(frozen=True, slots=True)
class Wanted:
    """The columns that the user named. `caption` is a column, a template such as "{colour} {title}", or a list."""

    image: str | None = None
    caption: Captions = None
    label: str | None = None
    encoding: str | None = None  # of a table of text; None: it is found out
    text_required: bool = True
    keep_others: bool = False  # the other columns go into `Pair.extras`

    def refuse(self, source: str, what: str, names: Sequence[str] = ("caption", "label", "image", "encoding")) -> None:
        """Raise UnfitSettingError where one of these was named of a source that has no such thing.

        `what` ends the sentence that begins with the source: "has no columns".
        """
        named = [name for name in names if getattr(self, name) is not None]
        if named:
            raise UnfitSettingError(
                f"{source} {what}, so data.{named[0]} fits nothing there.\n"
                f"  Leave it out, or, of several sources, set it for the one that it is for."
            )


@dataclass(frozen=True, slots=True)
class Roles:
    """The columns taken."""

    image: str
    captions: CaptionColumns | None
    label: str | None
    split: str | None
    weights: str | None = None  # of the captions, beside their column

    def __str__(self) -> str:
        taken = [f'image from "{self.image}"']
        taken += [f"captions from {self.captions}"] if self.captions else []
        taken += [f'label from "{self.label}"'] if self.label else []
        return ", ".join(taken)

    def untaken(self, table: Table) -> list[str]:
        """The columns that hold something else."""
        taken = {self.image, self.label, self.split, self.weights, *(self.captions.columns if self.captions else ())}
        return [column for column in table.columns if column not in taken]


def choose_columns(table: Table, wanted: Wanted) -> Roles:
    """The columns that the user named, and for the rest those that fit. Raises UsageError listing what there is."""
    where, columns = str(table.path), list(table.columns)
    captions = caption_columns(wanted.caption, columns, where)
    named = captions.columns if captions else []
    image = check_column(wanted.image, columns, where, "image") if wanted.image else _find_image(table)
    label = check_column(wanted.label, columns, where, "label") if wanted.label else None
    label = label or _named(table, LABEL_NAMES, taken=(image, *named))
    if captions is None and (column := _named(table, CAPTION_NAMES, taken=(image, label))):
        captions = CaptionColumns((column,))
    if captions is None and (several := _several_captions(table, taken=(image, label))):
        captions = CaptionColumns(several)
    split = _named(table, SPLIT_NAMES, taken=(image, label, *(captions.columns if captions else ())))
    if captions is None and label is None:
        column = _only_prose(table, besides=(image, split))
        captions = CaptionColumns((column,)) if column else None
        if captions is None and wanted.text_required and len(table.columns) > 1:
            raise UsageError(
                f"{table.path} has no caption column.\n"
                f'  It has: {", ".join(table.columns)}. Took "{image}" for the image.\n'
                "  Name the caption column: --set data.caption=NAME"
            )
    alone = captions is not None and len(captions.rules) == 1 and isinstance(captions.rules[0], str)
    return Roles(image, captions, label, split, _named(table, (WEIGHTS_COLUMN,), taken=()) if alone else None)


def sentence_column(table: Table, named: str | None) -> str | None:
    """The column of the English sentences of a table without pictures: the one that is named, or found by its name.

    None for a table that has pictures. Raises UsageError listing the columns where none of them can be meant.
    """
    try:
        _find_image(table)
        return None
    except (UsageError, DataError):
        pass
    columns = list(table.columns)
    if named:
        return check_column(named, columns, str(table.path), "English")
    if column := _named(table, ("en", "english", *CAPTION_NAMES), taken=()):
        return column
    raise UsageError(
        f"{table.path} has no pictures, and no column that must be English. It has: {', '.join(columns)}.\n"
        "  Name it: --set languages.english=NAME"
    )


def _several_captions(table: Table, taken: Sequence[str | None]) -> tuple[str, ...]:
    """Columns that hold a caption each, as `caption_1`, `caption_2`; numbers of captions, `text_id`, are none."""
    found = several_of([column for column in table.columns if column not in taken])
    return tuple(column for column in found if _holds_text(table.columns[column], typed=table.typed))


def _holds_text(values: Sequence[Any], *, typed: bool) -> bool:
    sample = _first(values)
    try:
        texts = [text for value in sample for text in captions_in(value, Counter(), typed=typed)]
    except NotTextError:
        return False
    return 2 * sum(any(map(str.isalpha, text)) for text in texts) > len(texts)


def _named(table: Table, names: Sequence[str], taken: Sequence[str | None]) -> str | None:
    plain = {plain_name(column): column for column in reversed(table.columns) if column not in taken}
    return next((plain[name] for name in map(plain_name, names) if name in plain), None)


def _find_image(table: Table) -> str:
    plain = {plain_name(column): column for column in reversed(table.columns)}
    for name in map(plain_name, IMAGE_NAMES):
        if name in plain and _holds_pictures(table, plain[name], by_name=True):
            return plain[name]
    for column in table.columns:
        if _holds_pictures(table, column, by_name=False):
            return column
    for column, values in table.columns.items():
        if _are_paths_of_another_machine(values):
            return column
    if found := _find_by_names(table):
        return found
    addresses = next((column for column, values in table.columns.items() if _are_addresses(values)), None)
    if addresses:
        raise DataError(
            f'{table.path}: "{addresses}" holds addresses of pictures on the web, which are not downloaded.\n'
            "  Download the pictures first (img2dataset does that), then name the table that lists the files."
        )
    raise UsageError(
        f"{table.path} has no column whose image files exist. It has: {', '.join(table.columns)}.\n"
        f"  Looked beside the table, in {table.path.parent}. Name the image column: --set data.image=NAME"
    )


def _holds_pictures(table: Table, column: str, *, by_name: bool) -> bool:
    values = _first(table.columns[column])
    if values and all(is_embedded(value) for value in values):
        return True
    if _are_addresses(values):
        return False
    names = [clean_path(text) for text in map(path_text, values) if text]
    look_like_it = 2 * sum(map(has_image_extension, names)) > len(values)
    if look_like_it and by_name:
        return True
    return (look_like_it or by_name) and find_root(table.path.parent, names)[0] is not None


def _find_by_names(table: Table) -> str | None:
    """The column whose names, without extensions, or numbers lead to pictures; numbers count by the column's name."""
    plain = {plain_name(column): column for column in reversed(table.columns)}
    named = [plain[name] for name in map(plain_name, (*IMAGE_NAMES, *ID_NAMES)) if name in plain]
    place = place_to_search(table.path.parent)
    pictures = pictures_below(place)
    for column in dict.fromkeys([*named, *table.columns]) if pictures else ():
        if _are_addresses(table.columns[column]):
            continue
        texts = map(path_text, spread(table.columns[column], _SAMPLE))
        names = {clean_path(text) for text in texts if text and len(text) < MAX_NAME_LENGTH}
        if column not in named and 2 * sum(map(str.isdigit, names)) > len(names):
            continue  # a price is no picture
        found = find_files(place, names, pictures=pictures, numbers=column in named)
        if names and 2 * len(found.files) > len(names):
            return column
    return None


def _are_addresses(values: Sequence[Any]) -> bool:
    values = _first(values)
    found = sum(isinstance(value, str) and value.startswith(("http://", "https://", "s3://")) for value in values)
    return 2 * found > len(values)


def _are_paths_of_another_machine(values: Sequence[Any]) -> bool:
    names = [value for value in _first(values) if isinstance(value, str)]
    found = sum(has_image_extension(name) and is_absolute_anywhere(name) for name in names)
    return 2 * found > len(names)


def _only_prose(table: Table, besides: Sequence[str | None]) -> str | None:
    """The one column that mostly holds several words, or None where there are none or more."""
    prose = [
        name for name, values in table.columns.items() if name not in besides and _is_prose(values, typed=table.typed)
    ]
    return prose[0] if len(prose) == 1 else None


def _is_prose(values: Sequence[Any], *, typed: bool) -> bool:
    sample = values[:_SAMPLE]
    return 2 * sum(_has_words(value, typed) for value in sample) > len(sample)


def _has_words(value: Any, typed: bool) -> bool:
    try:
        captions = captions_in(value, Counter(), typed=typed)
    except NotTextError:
        return False
    return bool(captions) and len(captions[0].split()) > 1


def _first(values: Sequence[Any]) -> list[Any]:
    """Some of the values that are there, spread over the table, or the first of them where most are missing."""
    some = [value for value in spread(values, _SAMPLE) if value not in (None, "")]
    return some or list(islice((value for value in values if value not in (None, "")), _SAMPLE))
