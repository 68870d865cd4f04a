"""A map on the disk: its places, and its thumbnails on sheets, kept in the library's folder until the library changes.

    space-map/map.json  space-map/sheet-0.jpg …

It is a cache: whole or not there, and made again when photos or the model have changed.
"""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageOps

from lexel.curation.space_map import Progress, SpaceMap, map_library
from lexel.errors import LexelError, UsageError
from lexel.files import new_folder

if TYPE_CHECKING:
    from lexel.library.library import Library

FOLDER, DESCRIPTION = "space-map", "map.json"
MAP_FORMAT = 1
TILE = 48  # pixels a side of a thumbnail on a sheet
COLUMNS = 32  # thumbnails across a sheet, and down
PER_SHEET = COLUMNS**2
SHEET_QUALITY = 82  # of JPEG


@dataclass(frozen=True)
class DrawnMap:
    """What a page needs to show a map: the places as JSON, and JPEG sheets of thumbnails in the same order."""

    content: dict[str, Any]
    sheets: tuple[bytes, ...]


def drawn_map(space_map: SpaceMap, thumbnail: Callable[[int], bytes | Image.Image]) -> DrawnMap:
    """The map with its sheets; `thumbnail` gives a picture, or the bytes of one, for an id."""
    ids = space_map.ids.tolist()
    sheets = tuple(_sheet(ids[start : start + PER_SHEET], thumbnail) for start in range(0, len(ids), PER_SHEET))
    sizes = {"tile": TILE, "columns": COLUMNS, "per_sheet": PER_SHEET, "count": len(sheets)}
    return DrawnMap(space_map.to_json() | {"sheets": sizes}, sheets)


def kept_map(library: "Library") -> DrawnMap | None:
    """The map that is kept for the library as it is now, or None."""
    folder = library.path / FOLDER
    try:
        described = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        if described["stamp"] != _stamp(library):
            return None
        count = described["map"]["sheets"]["count"]
        return DrawnMap(described["map"], tuple((folder / _name(number)).read_bytes() for number in range(count)))
    except (OSError, ValueError, KeyError, TypeError):  # none, or a damaged one, which is as good as none
        return None


def map_of(library: "Library", on_progress: Progress = lambda _: None) -> DrawnMap:
    """The library's map: the one that is kept, or a fresh one, which is then kept where the folder can be written."""
    if kept := kept_map(library):
        return kept
    stamp = _stamp(library)
    space_map = map_library(library, on_progress)
    on_progress("Putting the thumbnails together")
    drawn = drawn_map(space_map, library.records.thumbnail)
    try:
        _keep(library.path / FOLDER, stamp, drawn)
    except (OSError, UsageError):  # a library that can only be read has a map too
        on_progress(f"The map cannot be kept in {library.path}; it is made again next time")
    return drawn


def _keep(path: Path, stamp: Sequence[Any], drawn: DrawnMap) -> None:
    with new_folder(path) as folder:
        for number, sheet in enumerate(drawn.sheets):
            (folder / _name(number)).write_bytes(sheet)
        described = {"stamp": stamp, "map": drawn.content}
        (folder / DESCRIPTION).write_text(json.dumps(described, ensure_ascii=False), encoding="utf-8")


def _stamp(library: "Library") -> list[Any]:
    records = library.records
    return [MAP_FORMAT, records.fingerprint, records.generation]


def _name(number: int) -> str:
    return f"sheet-{number}.jpg"


def _sheet(ids: Sequence[int], thumbnail: Callable[[int], bytes | Image.Image]) -> bytes:
    rows = -(-len(ids) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * TILE, rows * TILE), (128, 128, 128))
    for position, id in enumerate(ids):
        try:
            sheet.paste(_tile(thumbnail(id)), (position % COLUMNS * TILE, position // COLUMNS * TILE))
        except (LexelError, OSError):  # it was removed this moment, or is damaged: its place stays grey
            continue
    content = io.BytesIO()
    sheet.save(content, "JPEG", quality=SHEET_QUALITY)
    return content.getvalue()


def _tile(given: bytes | Image.Image) -> Image.Image:
    image = Image.open(io.BytesIO(given)) if isinstance(given, bytes) else given
    image.draft("RGB", (2 * TILE, 2 * TILE))
    return ImageOps.fit(image.convert("RGB"), (TILE, TILE), Image.Resampling.BICUBIC)
