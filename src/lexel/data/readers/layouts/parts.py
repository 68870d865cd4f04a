"""The tables of a published layout as one source: each a split, or with splits in lists of their own."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lexel.data.pairs import ImageFile, Pair
from lexel.data.readers.paths import key_under
from lexel.data.readers.splits import Reading, split_name
from lexel.data.readers.tables.columns import Wanted
from lexel.data.readers.tables.picture_column import NoPicturesError
from lexel.data.readers.tables.rows import read_table_pairs
from lexel.terminal import counted


@dataclass(frozen=True, slots=True)
class Layout:
    """What a published layout has: its name, its tables, and which split each belongs to or each picture."""

    name: str
    tables: tuple[Path, ...]
    splits: Mapping[Path, str] = field(default_factory=dict)  # by table; none: as the table itself says
    split_of: Mapping[str, str] = field(default_factory=dict)  # by the stem of the picture's file
    passed_over: tuple[Path, ...] = ()  # other tables of the same pictures
    image: str | None = None  # the column of the pictures, where it cannot be told by its name
    caption: str | None = None


def read_layout(root: Path, layout: Layout, wanted: Wanted) -> Reading:
    """The pairs of all its tables, with keys relative to the folder. Raises DataError or UsageError as tables do.

    A table of which no picture is there is left out where others have some: COCO's parts are downloaded one by one.
    """
    wanted = replace(wanted, image=wanted.image or layout.image, caption=wanted.caption or layout.caption)
    whole = Reading(notes=[f"read as {layout.name}"])
    known: set[str] = set()  # notes of the tables before, without their names
    absent: list[NoPicturesError] = []
    for table in layout.tables:
        try:
            part = read_table_pairs(table, wanted)
        except NoPicturesError as error:
            absent.append(error)
            whole.notes.append(f"{table.name}: left out, because none of its images exists")
            continue
        whole.pairs += [_rekeyed(root, table, pair) for pair in part.pairs]
        named = layout.splits.get(table)
        whole.splits += [(named and split_name(named)) or split for split in part.splits]
        said = [note.removeprefix(f"{table.name}: ") for note in part.notes]
        whole.notes += [note for note, text in zip(part.notes, said, strict=True) if text not in known]
        known.update(said)
    if len(absent) == len(layout.tables):
        raise absent[0]
    if layout.split_of:
        whole.splits = [layout.split_of.get(pair.key.rpartition("/")[2].partition(".")[0]) for pair in whole.pairs]
        if unlisted := Counter(whole.splits)[None]:
            whole.notes.append(f"{counted(unlisted, 'image is', 'images are')} not listed in any split")
    whole.notes += [f"not read: {path}" for path in layout.passed_over]
    return whole


def _rekeyed(root: Path, table: Path, pair: Pair) -> Pair:
    """The pair with a key relative to the folder; pictures inside the table are named after it."""
    if isinstance(pair.picture, ImageFile):
        return replace(pair, key=key_under(root, pair.picture.path))
    return replace(pair, key=f"{table.relative_to(root).with_suffix('').as_posix()}/{pair.key}")
