"""Which files are pictures, where the paths of a table lead, and the stable key of each picture."""

import os
import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

IMAGE_EXTENSIONS = frozenset(
    (
        *("jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff", "ppm", "pgm", "pbm", "pnm"),
        *("heic", "heif", "avif", "jp2", "tga", "ico", "pcx", "dds"),
    )
)
SAMPLE = 20  # files, spread over a table, are looked for; looking for each would take minutes on a network disk
MAX_FOLDERS_TRIED = 200  # for paths to be relative to
TABLE_FOLDERS = frozenset(
    {
        "annotations",
        "annotation",
        "ann",
        "captions",
        "labels",
        "meta",
        "metadata",
        "tables",
        "text",
        "texts",
        "json",
        "csv",
    }
)
PICTURE_FOLDERS = frozenset({"images", "image", "imgs", "img", "pictures", "photos", "data", "jpg", "jpeg"})

_T = TypeVar("_T")
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "`": "`"}
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
    """A path as tables write it, with forward slashes and without what is not part of the name.

    clean_path("'file:///photos/my%20dog.jpg'")  →  "/photos/my dog.jpg"
    """
    text = text.strip()
    if text[:1] in _QUOTES and text.endswith(_QUOTES[text[0]]) and len(text) > 2:
        text = text[1:-1].strip()
    if text[:7].lower() == "file://":
        text = unquote(re.sub(r"^/(?=[A-Za-z]:)", "", text[7:].removeprefix("localhost")))
    if "#" in text:
        text = _COMMENT_NUMBER.sub("", text)
    return text.replace("\\", "/")


def find_root(folder: Path, names: Sequence[str]) -> tuple[Path | None, bool]:
    """The folder that most of the names are relative to, None where none is found; and whether all are there.

    A sample of the names is looked for: in the table's own folder, in those right below it, and, only for a folder
    that is there for tables, in the folder above and those beside.
    """
    sample = spread(names, SAMPLE)
    for roots in (chain([folder], _subfolders(folder)), _around(folder)):
        best, most = None, 0
        for root in islice(roots, MAX_FOLDERS_TRIED):
            found = sum(os.path.isfile(root / name) for name in sample)  # noqa: PTH113 - a name too long is no error
            if found > most:
                best, most = root, found
            if found == len(sample) > 0:
                return root, True
        if best is not None:
            return best, False
    return None, False


def place_to_search(folder: Path) -> Path:
    """The folder below which a table's pictures are searched by name: its own, or the one above `annotations/`."""
    resolved = folder.resolve()
    name = resolved.name.lower()
    return resolved.parent if name in TABLE_FOLDERS or name.endswith("_text") else folder


def spread(values: Sequence[_T], count: int) -> Sequence[_T]:
    """At most `count` of the values, evenly spread: tables are sorted, and their beginnings are unlike the rest."""
    if len(values) <= count:
        return values
    return [values[place * (len(values) - 1) // (count - 1)] for place in range(count)]


def key_of(path: str) -> str:
    """The key for a picture's path relative to the source: POSIX, normal, and fit for UTF-8."""
    normal = os.path.normpath(path).replace(os.sep, "/")
    return os.fsencode(normal).decode("utf-8", "backslashreplace")


def key_under(root: Path, path: Path) -> str:
    """The key of a file that a table names: relative to the table's folder, also where it lies outside of it."""
    inside = str(path).removeprefix(f"{root}{os.sep}")
    return key_of(os.path.relpath(path, root) if inside.startswith(os.sep) else inside)


def _subfolders(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    except OSError:
        return
    yield from (folder / name for name in sorted(names))


def _around(folder: Path) -> Iterator[Path]:
    """The folder above, and those beside: `annotations/a.json` lies beside `train2017/` or `images/train2017/`.

    Only for folders of tables: beside any other there may be another data set with files of the same names.
    """
    above = place_to_search(folder)
    if above == folder:
        return
    yield above
    for beside in _subfolders(above):
        yield beside
        if beside.name.lower() in PICTURE_FOLDERS:
            yield from _subfolders(beside)


def is_cache_folder(name: str) -> bool:
    """Whether other programs keep thumbnails or deleted files in folders of this name: Synology, macOS, Lightroom."""
    return name.lower() in CACHE_FOLDERS or name.lower().endswith(LIGHTROOM_PREVIEWS)
