"""Which files are pictures, where the paths of a table lead, and the stable key of each picture."""

import os
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

IMAGE_EXTENSIONS = frozenset(
    (
        *("jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff", "ppm", "pgm", "pbm", "pnm"),
        *("heic", "heif", "avif", "jp2", "tga", "ico", "pcx", "dds"),
    )
)
SAMPLE = 20  # files are looked for before a column is believed; looking for each would take minutes on a network disk

_COMMENT_NUMBER = re.compile(r"#\d+$")  # Flickr8k numbers its sentences: 1000268201.jpg#0

# In lower case. Synology and QNAP, macOS, Windows; hidden folders such as .thumbnails are left out before.
CACHE_FOLDERS = {"@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "__macosx"} | {
    "$recycle.bin",
    "system volume information",
}
LIGHTROOM_PREVIEWS = ".lrdata"


def has_image_extension(name: str) -> bool:
    """Whether a file of this name is a picture, by its extension in any case."""
    _, dot, extension = _COMMENT_NUMBER.sub("", name).rpartition(".")
    return bool(dot) and extension.lower() in IMAGE_EXTENSIONS


def clean_path(text: str) -> str:
    """A path as tables write it, with forward slashes and without what is not part of the name."""
    text = text.strip()
    if "#" in text:
        text = _COMMENT_NUMBER.sub("", text)
    return text.replace("\\", "/") if "\\" in text and "/" not in text else text


def find_root(folder: Path, names: Sequence[str]) -> Path | None:
    """The folder that the names are relative to: the table's own or one right below it; None where none is found."""
    sample = names[:SAMPLE]
    for root in chain([folder], _subfolders(folder)):
        if any(os.path.isfile(root / name) for name in sample):  # noqa: PTH113 - a name too long is no error here
            return root
    return None


def key_of(path: str) -> str:
    """The key for a picture's path relative to the source: POSIX, normal, and fit for UTF-8."""
    normal = os.path.normpath(path).replace(os.sep, "/")
    return os.fsencode(normal).decode("utf-8", "backslashreplace")


def key_under(root: Path, path: Path) -> str:
    """The key of a file that a table names: relative to the table's folder, also where it lies outside of it."""
    inside = str(path).removeprefix(f"{root}{os.sep}")
    return key_of(os.path.relpath(path, root) if inside.startswith(os.sep) else inside)


def _subfolders(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    yield from (folder / name for name in sorted(names))


def is_cache_folder(name: str) -> bool:
    """Whether other programs keep thumbnails or deleted files in folders of this name: Synology, macOS, Lightroom."""
    return name.lower() in CACHE_FOLDERS or name.lower().endswith(LIGHTROOM_PREVIEWS)
