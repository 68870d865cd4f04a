"""Folders of pictures: with a metadata table, with splits, with a text file beside each picture, with a folder a class.

What a folder holds is told from the files themselves; `walk` finds them.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lexel.data.pairs import ImageFile, Pair
from lexel.data.readers.paths import key_of
from lexel.data.readers.splits import FOLDER_SPLITS, Reading, split_name
from lexel.data.readers.tables.columns import Wanted
from lexel.data.readers.tables.rows import read_table_pairs
from lexel.data.readers.tables.table import READERS
from lexel.data.readers.text import decode_text
from lexel.data.readers.walk import METADATA, LeftOut, walk_folders
from lexel.errors import DataError, UsageError

TABLES_BELOW = READERS.keys() - {".txt", ".json"}  # of a folder below: a .txt there holds captions, a .json anything


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
    listing = _list_files(root)
    splits = _whole_splits(root, listing)
    if splits:
        return _read_splits(root, splits, wanted)
    if listing.metadata:
        return _read_tables_below(root, listing, wanted)
    if not listing.images:
        raise DataError(_why_empty(root))
    return _read_images(root, listing)


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
        whole.notes.append(f"{len(unlisted):,} images left out that no metadata table lists, such as {unlisted[0]}")
    whole.notes += listing.notes(root)
    return whole


def _read_images(root: Path, listing: _FolderListing) -> Reading:
    captions = [_sidecar(root, image, listing.texts) for image in listing.images]
    captioned = sum(text is not None for text in captions)
    classes = {image.partition("/")[0] for image in listing.images if "/" in image}
    outside = sum("/" not in image for image in listing.images)
    labelled = len(classes) > 1 and not outside and 2 * captioned < len(captions)

    notes = []
    if captioned:
        notes.append(f"captions from the text files beside {captioned:,} of {len(captions):,} images")
    if labelled:
        notes.append(f"labels from {len(classes):,} folders")
    elif len(classes) > 1 and outside and not captioned:
        notes.append(f"folder names not taken for labels: {outside:,} images lie outside the {len(classes):,} folders")
    tables = _tables(root, listing.images) if not captioned else []
    if labelled:
        notes += [f"there is also a table, to be named itself: {path}" for path in tables[:3]]
    elif not captioned:
        notes += [f"images alone; there is also a table, to be named itself: {path}" for path in tables[:3]]
    notes += listing.notes(root)
    notes += [f"not allowed to read the folder {name}, skipped" for name in listing.unreadable]

    pairs = [
        Pair(key_of(image), ImageFile(root / image), text or (), _class_name(image) if labelled else None)
        for image, text in zip(listing.images, captions, strict=True)
    ]
    return Reading(pairs, [None] * len(pairs), notes)


def _sidecar(root: Path, image: str, texts: dict[str, str]) -> tuple[str, ...] | None:
    stem = image.rpartition(".")[0]
    if stem not in texts:
        return None
    path = root / texts[stem]
    try:
        text, _ = decode_text(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _class_name(image: str) -> str:
    return image.partition("/")[0].replace("_", " ").strip()


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


def _tables(root: Path, images: Sequence[str]) -> list[Path]:
    """Tables that may list the images, in the folder or beside them below it."""
    found = [path for path in root.iterdir() if path.suffix.lower() in READERS and _may_list_images(path)]
    for folder in {image.rpartition("/")[0] for image in images} - {""}:
        names = [name for name in os.listdir(root / folder) if not name.startswith(".")]  # noqa: PTH208 - far quicker
        tables = [root / folder / name for name in names if os.path.splitext(name)[1].lower() in TABLES_BELOW]  # noqa: PTH122
        found += [path for path in tables if path.is_file()]
    return sorted(found)


def _may_list_images(path: Path) -> bool:
    """Whether a .txt is a table as Flickr8k's captions.txt is, and no readme; other tables always may."""
    if path.name.lower().startswith((".", "readme", "license")) or not path.is_file():
        return False
    if path.suffix.lower() != ".txt":
        return True
    with path.open("rb") as file:
        head = file.readline(1000).lower()
    return any(mark in head for mark in b",\t;|") and any(
        word in head for word in (b"image", b"file", b".jpg", b".png")
    )


def _why_empty(root: Path) -> str:
    tables = _tables(root, [])
    if tables:
        return f"{root} has no images, but a table. Name the table itself: {tables[0]}"
    return f"{root} has no images: nothing in it or below ends in .jpg, .png, .webp or the like."
