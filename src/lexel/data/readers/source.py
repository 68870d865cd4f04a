"""From the one string that names a source to its pairs: what it is, where it is, and which split is meant."""

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lexel.data.compact_pairs import compact
from lexel.data.pairs import Source, grouped
from lexel.data.readers.encodings import check_encoding
from lexel.data.readers.folder import find_metadata, has_layout, has_split_folders, read_folder
from lexel.data.readers.hugging_face_cache import PREFIX as HUGGING_FACE
from lexel.data.readers.hugging_face_cache import find_in_cache
from lexel.data.readers.mixture import PREFIX, MixturePart, mixture_parts, sample_counts
from lexel.data.readers.paths import has_image_extension
from lexel.data.readers.splits import FOLDER_SPLITS, Reading, split_name, take_split
from lexel.data.readers.tables.caption_columns import Captions
from lexel.data.readers.tables.columns import Wanted
from lexel.data.readers.tables.lance_copy import find_lance
from lexel.data.readers.tables.rows import read_table_pairs
from lexel.data.readers.tables.table import READERS
from lexel.data.remote import fetch, is_remote
from lexel.errors import DataError, UnfitSettingError, UsageError, did_you_mean
from lexel.terminal import counted


def read_source(
    text: str,
    *,
    prefer: Sequence[str] = (),
    caption: Captions = None,
    label: str | None = None,
    image: str | None = None,
    encoding: str | None = None,
    text_required: bool = True,
    keep_columns: bool = False,
) -> Source:
    """Read a folder, a table, `scenes:N` or `mix:0.7*A,0.3*B`, with `/split` at its end where one split is wanted.

    Without a named split the first of `prefer` that exists is taken, or else everything. `caption`, `label` and
    `image` name the columns of a table that cannot be guessed, `encoding` that of its text. A table without any text
    is an error, or, with `text_required=False`, pictures alone. With `keep_columns` a table's other columns are kept
    in `Pair.extras`.

    Example:
        source = lexel.read_source("shop.csv", caption="title")
        source.pairs[0].captions
    """
    if parts := mixture_parts(text):
        columns = {"caption": caption, "label": label, "image": image, "encoding": encoding}
        others = {"text_required": text_required, "keep_columns": keep_columns}
        return _joined(text, parts, _read_parts(parts, columns, {"prefer": prefer, **others}))
    wanted = Wanted(image, caption, label, encoding, text_required, keep_columns)
    if re.match(r"scenes:", text):
        wanted.refuse(text, "is drawn by Lexel")
        return _read_scenes(text, prefer)
    if is_of_shards(text):
        return _read_shards(text, wanted, prefer)
    path, split = _fetch_table(text) if is_remote(text) else _locate(text)
    if encoding is not None:
        check_encoding(encoding)
    if path.is_dir():
        table = find_lance(path)
        reading = read_folder(path, wanted) if table is None else read_table_pairs(table, wanted)
    else:
        reading = _read_file(path, wanted)
    pairs, taken, note = take_split(reading, text if split is None else str(path), split, prefer)
    if not pairs:
        raise DataError(f"{text} names no pictures: every row is empty.")
    splits = tuple(dict.fromkeys(name for name in reading.splits if name is not None))
    numbers: dict[str | None, int] = {name: number for number, name in enumerate(splits)}
    split_of = [numbers.get(name, -1) for name in reading.splits] if splits and taken is None else None
    return Source(
        name=text,
        pairs=grouped(compact(pairs)),
        notes=(*reading.notes, *note),
        split=taken,
        splits=splits,
        split_numbers=None if split_of is None else np.array(split_of, np.int8),
    )


def check_there(text: str) -> None:
    """Raise UsageError where no source of that name can be: nothing is there, and it is no made-up one."""
    for part in mixture_parts(text):
        check_there(part.source)
    if text.startswith(PREFIX):
        return
    if is_of_shards(text):
        from lexel.data.shards import check_shards

        check_shards(text)
    elif not re.match(r"scenes:", text) and not is_remote(text):
        _locate(text)


def is_of_shards(text: str) -> bool:
    """Whether a text names tar shards: one, a pattern, a folder of them, or a split of such a folder."""
    from lexel.data.shards import named_split, names_shards

    return bool(text.strip()) and (names_shards(text) or named_split(text) is not None)


def _read_parts(parts: Sequence[MixturePart], columns: dict[str, Any], others: dict[str, Any]) -> list[Source]:
    """Each part, with the columns that were named if they fit it. Raises UnfitSettingError where they fit none."""
    sources: list[Source] = []
    unfit: list[UnfitSettingError] = []
    for part in parts:
        try:
            sources.append(read_source(part.source, **columns, **others))
        except UnfitSettingError as error:
            unfit.append(error)
            source = read_source(part.source, **others)
            sources.append(replace(source, notes=(*source.notes, str(error).partition("\n")[0])))
    if len(unfit) == len(parts):
        raise unfit[0]
    return sources


def _joined(text: str, parts: Sequence[MixturePart], sources: Sequence[Source]) -> Source:
    """All pairs of a mixture, their keys after the names of their sources. The shares are heeded by training alone."""
    pairs = [replace(pair, key=f"{source.name}/{pair.key}") for source in sources for pair in source.pairs]
    counts = sample_counts([len(source.pairs) for source in sources], [part.share for part in parts])
    notes = [
        f"{part.share:.4g} of the samples from {part.source}: {counted(len(source.pairs), 'pair')}, "
        f"{counted(count, 'sample')} an epoch ({count / len(source.pairs):.3g} passes)"
        for part, source, count in zip(parts, sources, counts, strict=True)
    ]
    said = [
        note if note.startswith(f"{Path(source.name).name}: ") else f"{source.name}: {note}"
        for source in sources
        for note in source.notes
    ]
    return Source(text, compact(pairs), (*notes, *said))


def _read_scenes(text: str, prefer: Sequence[str]) -> Source:
    from lexel.data.scenes import read_scenes

    count, mark, seed = text.partition("?")
    split = next((name for name in map(split_name, prefer) if name in FOLDER_SPLITS), None)
    if split and "/" not in count:
        return replace(read_scenes(f"{count}/{split}{mark}{seed}"), name=text)
    return read_scenes(text)


def _read_shards(text: str, wanted: Wanted, prefer: Sequence[str]) -> Source:
    from lexel.data.shards import Fields, read_shards

    wanted.refuse(text, "is of tars, whose texts are UTF-8", ("encoding",))
    fields = Fields(wanted.caption, wanted.label, wanted.image)
    return read_shards(text, fields, prefer=prefer, keep_fields=wanted.keep_others)


def _read_file(path: Path, wanted: Wanted) -> Reading:
    if path.suffix.lower() in READERS:
        return read_table_pairs(path, wanted)
    if has_image_extension(path.name):
        raise UsageError(f"{path} is one picture. A source is its folder, or a table that lists it: {path.parent}")
    raise UsageError(f"{path} is neither a folder nor a table. Tables end in {', '.join(READERS)}.")


def _fetch_table(address: str) -> tuple[Path, str | None]:
    """The copy of a table at an address, and the split that was written after it."""
    place, _, last = address.partition("?")[0].rpartition("/")
    if _is_table(last):
        return fetch(address), None
    if _is_table(place):
        return fetch(place), last
    raise UsageError(
        f"{address} is neither a table nor a tar. Tables end in {', '.join(READERS)}, and a folder of tars in a slash."
    )


def _is_table(name: str) -> bool:
    return Path(name).suffix.lower() in READERS


def _locate(text: str) -> tuple[Path, str | None]:
    """The path that exists, and the split that was written after it."""
    if not text.strip():
        raise UsageError(
            "The name of the source is empty. A source is a folder, a table, or made-up scenes: scenes:2000"
        )
    if text.startswith(HUGGING_FACE):
        return find_in_cache(text)
    path = Path(text.removeprefix("coco:") if not os.path.exists(text) else text).expanduser()  # noqa: PTH110
    if os.path.exists(path):  # noqa: PTH110 - Path.exists raises for names that are too long
        return path, None
    if path.parent.is_file() or (path.parent.is_dir() and path.parent != Path() and _may_have_splits(path.parent)):
        return path.parent, path.name
    raise UsageError(_not_found(text, path))


def _may_have_splits(folder: Path) -> bool:
    if find_metadata(folder) is not None or has_split_folders(folder) or has_layout(folder):
        return True
    return find_lance(folder) is not None


def _not_found(text: str, path: Path) -> str:
    kind = re.match(r"([a-z]\w+):", text)
    if kind:
        return f'There is no kind of source "{kind[1]}:", and no file {text}. Made-up scenes are scenes:2000.'
    known = path.parent
    missing = path.name
    while not known.is_dir() and known != known.parent:
        known, missing = known.parent, known.name
    near = did_you_mean(missing, (entry.name for entry in known.iterdir()))
    where = "" if known == Path() else f' ({known} is there and has no "{missing}")' if missing != path.name else ""
    return f"There is no {text}{where}.{near}"
