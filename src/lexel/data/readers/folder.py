"""Folders of pictures: with a metadata table, with splits, with a text file beside each picture, with a folder a class.

What a folder holds is told from the files themselves; `walk` finds them.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from lexel.data.pairs import ImageFile, Pair
from lexel.data.readers.class_folders import label_by_folder
from lexel.data.readers.layouts import find_layout, find_parquet, read_layout
from lexel.data.readers.passed_over import find_tables, tables_passed_over
from lexel.data.readers.paths import key_of
from lexel.data.readers.splits import FOLDER_SPLITS, Reading, split_name
from lexel.data.readers.tables.columns import Wanted
from lexel.data.readers.tables.rows import read_table_pairs
from lexel.data.readers.tables.values import MAX_CAPTION_CHARACTERS
from lexel.data.readers.text import decode_texts, encoding_note
from lexel.data.readers.walk import METADATA, LeftOut, walk_folders
from lexel.errors import DataError, UsageError
from lexel.terminal import counted


@dataclass(slots=True)
class _FolderListing:
    images: list[str]  # relative paths, sorted
    texts: dict[str, str]  # relative paths of .txt files, by the same without the extension
    unreadable: list[str]
    metadata: list[str]  # folders below the root, relative, that have a metadata table
    left_out: LeftOut

    def notes(self, root: Path) -> list[str]:
        """What to tell of files that are not read; paths are relative to the root."""
        return self.left_out.notes(lambda path: key_of(_below(root, path)))


def read_folder(root: Path, wanted: Wanted) -> Reading:
    """The pairs of a folder, in the order of their paths or of its metadata table."""
    metadata = find_metadata(root)
    if metadata:
        return read_table_pairs(metadata, wanted)
    if layout := find_layout(root):
        return read_layout(root, layout, wanted)
    listing = _list_files(root)
    splits = _whole_splits(root, listing)
    if splits:
        return _read_splits(root, splits, wanted)
    if listing.metadata:
        return _read_tables_below(root, listing, wanted)
    if not listing.images and (layout := find_parquet(root)):
        return read_layout(root, layout, wanted)
    if not listing.images:
        raise DataError(_why_empty(root))
    return _read_images(root, listing, wanted)


def find_metadata(root: Path) -> Path | None:
    """The folder's metadata table; UsageError where there are two."""
    found = [root / name for name in METADATA if (root / name).is_file()]
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise UsageError(f"{root} has {names}, which may differ. Name the one to read: {found[0]}")
    return found[0] if found else None


def has_split_folders(root: Path) -> bool:
    """Whether the folder has one called train, val, test or the like."""
    return bool(_split_folders(root))


def has_layout(root: Path) -> bool:
    """Whether the folder has a published layout, which may have splits."""
    return find_layout(root) is not None or find_parquet(root) is not None


def _split_folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and split_name(path.name) in FOLDER_SPLITS)


def _whole_splits(root: Path, listing: _FolderListing) -> list[Path]:
    """The split folders that hold anything, if all pictures lie in such: among class folders `train` is a vehicle."""
    holders = {image.partition("/")[0] for image in listing.images}
    folders = _split_folders(root)
    if not holders <= {path.name for path in folders}:
        return []
    return [path for path in folders if path.name in holders or find_metadata(path)]


def _read_splits(root: Path, folders: list[Path], wanted: Wanted) -> Reading:
    whole = Reading()
    for folder in folders:
        try:
            part = read_folder(folder, wanted)
        except DataError as error:
            raise DataError(f"{error}\n  (read as the split {split_name(folder.name)} of {root})") from error
        whole.pairs += [replace(pair, key=f"{folder.name}/{pair.key}") for pair in part.pairs]
        whole.splits += [split_name(folder.name)] * len(part.pairs)
        whole.notes += [f"{folder.name}/: {note}" for note in part.notes]
    return whole


def _read_tables_below(root: Path, listing: _FolderListing, wanted: Wanted) -> Reading:
    """The pairs of the metadata tables in sub-folders: what they say is never replaced by the folders' names."""
    whole = Reading()
    for folder in listing.metadata:
        table = find_metadata(root / folder)
        if table is None:
            continue
        part = read_table_pairs(table, wanted)
        whole.pairs += [replace(pair, key=key_of(f"{folder}/{pair.key}")) for pair in part.pairs]
        whole.splits += part.splits
        whole.notes += [f"{folder}/{note}" for note in part.notes]
    listed = {pair.key for pair in whole.pairs}
    if unlisted := [image for image in listing.images if key_of(image) not in listed]:
        whole.notes.append(
            f"{counted(len(unlisted), 'image')} left out that no metadata table lists, such as {unlisted[0]}"
        )
    whole.notes += listing.notes(root)
    return whole


def _read_images(root: Path, listing: _FolderListing, wanted: Wanted) -> Reading:
    wanted.refuse(str(root), "is read without a table", ("caption", "label", "image"))
    if not listing.texts:
        wanted.refuse(str(root), "holds no text", ("encoding",))
    captions, encoding = _sidecars(root, listing, wanted.encoding)
    captions, too_long = _cut(captions)
    captioned = sum(text is not None for text in captions)
    labels: list[str | None] = [None] * len(captions)

    notes = []
    if captioned:
        notes.append(f"captions from the text files beside {captioned:,} of {counted(len(captions), 'image')}")
        notes += encoding_note(encoding, [caption for texts in captions for caption in texts or ()])
    if too_long:
        longer = counted(too_long, "caption is", "captions are")
        notes.append(f"{longer} over {MAX_CAPTION_CHARACTERS:,} characters and cut there")
    if 2 * captioned < len(captions):
        found = label_by_folder(listing.images)
        labels = found.labels
        notes += found.notes if not captioned or any(labels) else []
    if not captioned:
        alone = "" if any(labels) else "images alone; "
        notes += [f"{alone}{note}" for note in tables_passed_over(root, listing.images)]
    notes += listing.notes(root)
    notes += [f"not allowed to read the folder {name}, skipped" for name in listing.unreadable]

    pairs = [
        Pair(key_of(image), ImageFile(root / image), text or (), label)
        for image, text, label in zip(listing.images, captions, labels, strict=True)
    ]
    return Reading(pairs, [None] * len(pairs), notes)


def _sidecars(root: Path, listing: _FolderListing, encoding: str | None) -> tuple[list[tuple[str, ...] | None], str]:
    """The captions of each picture in the text file beside it, None where there is none; and their encoding."""
    files = [listing.texts.get(image.rpartition(".")[0]) for image in listing.images]
    texts, encoding = decode_texts([_content(root / name) for name in files if name is not None], encoding)
    rest = iter(texts)
    return [None if name is None else _lines(next(rest)) for name in files], encoding


def _cut(captions: list[tuple[str, ...] | None]) -> tuple[list[tuple[str, ...] | None], int]:
    """The captions, those that are too long cut, and how many these are."""
    too_long = sum(len(caption) > MAX_CAPTION_CHARACTERS for texts in captions for caption in texts or ())
    if not too_long:
        return captions, 0
    return [texts and tuple(caption[:MAX_CAPTION_CHARACTERS] for caption in texts) for texts in captions], too_long


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def _list_files(root: Path) -> _FolderListing:
    listing = _FolderListing([], {}, [], [], LeftOut())
    for folder in walk_folders([str(root)]):
        listing.left_out.add(folder)
        if folder.problem is not None:
            listing.unreadable.append(_below(root, folder.path))
        listing.images += [_below(root, entry.path) for entry in folder.pictures]
        for entry in folder.texts.values():
            path = _below(root, entry.path)
            listing.texts[path[: -len(".txt")]] = path
        if folder.tables and _below(root, folder.path):
            listing.metadata.append(_below(root, folder.path))
    listing.images.sort()
    listing.metadata.sort()
    return listing


def _below(root: Path, path: str) -> str:
    return path[len(str(root)) :].lstrip("/")


def _why_empty(root: Path) -> str:
    tables = find_tables(root)
    if tables:
        return f"{root} has a table but no images. Name the table as the source: {tables[0]}"
    return f"{root} has no images: no file in it or below ends in .jpg, .png, .webp or the like."
