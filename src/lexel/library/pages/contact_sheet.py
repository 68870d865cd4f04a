"""A contact sheet: what a search found as one self-contained HTML page."""

from collections.abc import Callable, Sequence
from pathlib import Path

from lexel.library.pages.picture_page import Cell, PictureSection, write_page
from lexel.library.search.query import Hit
from lexel.terminal import counted


def write_sheet(path: Path, hits: Sequence[Hit], thumbnail: Callable[[int], bytes], title: str) -> None:
    """Write the page. `thumbnail` gives a photo's JPEG by its number. Raises OSError or UsageError."""
    cells = [_cell(place, hit, thumbnail(hit.photo.id)) for place, hit in enumerate(hits, start=1)]
    count = counted(len(hits), "photo") if hits else "Nothing found"
    if hits and not any(hit.is_match for hit in hits):
        count += ", of which none fits well"
    write_page(path, title, count, [PictureSection("", "", cells)])


def _cell(place: int, hit: Hit, jpeg: bytes) -> Cell:
    """What the picture shows comes first, in the words of its caption and tags; then its file."""
    photo = hit.photo
    name = photo.shown.rpartition("/")[2]
    words = [line for line in (photo.caption or "").splitlines()[:1] if line.strip()]
    words += [", ".join(photo.tags)] if photo.tags else []
    heading, *lines = [*words, name]
    lines += [photo.taken.replace("T", " ")] if photo.taken else []
    lines += [f"{photo.width} × {photo.height}"]
    lines += [hit.why] if hit.why else []
    return Cell(jpeg, photo.path, tuple(lines), f"{place}. {heading}", hit.strength, is_there=hit.is_there)
