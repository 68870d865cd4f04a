"""A page on which people look through what a filter has flagged: every picture is blurred until it is clicked.

They say of each whether it may stay or is flagged wrongly, and take that with them as a CSV.
"""

from collections.abc import Sequence
from pathlib import Path

from lexel.curation.concepts.filtering import Filtered
from lexel.curation.concepts.words import Judged
from lexel.errors import BadImageError
from lexel.images import decode
from lexel.library.disk.file_picture import MAX_THUMBNAIL_SIDE, make_thumbnail
from lexel.library.pages.picture_page import Cell, PictureSection, write_page
from lexel.library.store.records import Records
from lexel.terminal import counted

MAX_FLAGGED_ON_PAGE = 1000  # flagged pictures
NEARLY_FLAGGED_ON_PAGE = 24  # of the others, those that came nearest
MARKS_OF_FLAGGED = ("keep", "flag is wrong")  # it shows what was looked for and may stay; it does not show it
MARKS_OF_OTHERS = ("should be flagged",)


def write_review(path: Path, found: Filtered) -> None:
    """Write the page; a library has to be open still. Raises OSError."""
    judged, records = found.judged, found.library.records if found.library else None
    flagged = [one for one in judged if one.flagged]
    others = [one for one in judged if not one.flagged][:NEARLY_FLAGGED_ON_PAGE]
    more = f" The first {MAX_FLAGGED_ON_PAGE:,} are shown." if len(flagged) > MAX_FLAGGED_ON_PAGE else ""
    note = f"{counted(len(flagged), 'picture')}, the surest first.{more}"
    sections = [
        PictureSection("Flagged", note, _cells(flagged[:MAX_FLAGGED_ON_PAGE], records), MARKS_OF_FLAGGED),
        PictureSection("Nearly", "These came nearest and are not flagged.", _cells(others, records), MARKS_OF_OTHERS),
    ]
    summary = (
        f"{counted(len(judged), 'picture')}. {found.measured} Click one to see it. Nothing has been moved or deleted: "
        "what you decide is only written into the CSV that you download."
    )
    write_page(path, f"Filter: {found.name}", summary, sections, veiled=True)


def _cells(judged: Sequence[Judged], records: Records | None) -> list[Cell]:
    cells = []
    for one in judged:
        jpeg = records.thumbnail(one.id) if records is not None and one.id is not None else _thumbnail(one)
        if jpeg is not None:
            cells.append(Cell(jpeg, one.name, (f"score {one.score:.2f}",)))
    return cells


def _thumbnail(one: Judged) -> bytes | None:
    try:
        is_file = isinstance(one.picture, str | Path | bytes)
        return make_thumbnail(decode(one.picture, MAX_THUMBNAIL_SIDE) if is_file else one.picture.load())
    except BadImageError:  # gone since it was judged
        return None
