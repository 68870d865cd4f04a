"""A self-contained HTML page of pictures in sections: groups, duplicates, or what is to be reviewed."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from lexel.files import write_atomically
from lexel.search.records import Photo
from lexel.search.schema import readable
from lexel.search.sheet import STYLE

MORE_STYLE = """
h2 { font-size: 1.1rem; margin: 2rem 0 .1rem; }
h2 + p { margin-bottom: .7rem; }
li.kept { border-color: var(--good); }
li.kept b { color: var(--good); }
label { display: block; cursor: pointer; overflow: hidden; }
label input { position: absolute; opacity: 0; }
label img { filter: blur(22px) grayscale(1); }
label input:checked + img { filter: none; }
label input:focus-visible + img { outline: 3px solid var(--good); outline-offset: -3px; }
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """One picture on the page."""

    jpeg: bytes
    name: str  # what is shown and, when it is a file's path, linked
    lines: tuple[str, ...] = ()
    kept: bool = False  # drawn as the one that stays


@dataclass(frozen=True, slots=True)
class Section:
    """Pictures that belong together."""

    title: str
    note: str
    cells: Sequence[Cell]


def photo_cell(photo: Photo, jpeg: bytes, *lines: str, kept: bool = False) -> Cell:
    """The cell of a library's photo."""
    return Cell(jpeg, photo.path, (f"{photo.width} × {photo.height}, {photo.size / 1000:,.0f} kB", *lines), kept)


def write_page(path: Path, title: str, summary: str, sections: Sequence[Section], *, veiled: bool = False) -> None:
    """Write the page; `veiled` pictures are blurred until they are clicked. It holds no script. Raises OSError."""
    body = "\n".join(_section(section, veiled) for section in sections)
    write_atomically(
        path,
        f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)}</title><style>{STYLE}{MORE_STYLE}</style></head>
<body><h1>{escape(title)}</h1><p>{escape(summary)}</p>
{body}
</body></html>
""",
    )


def _section(section: Section, veiled: bool) -> str:
    cells = "\n".join(_cell(cell, veiled) for cell in section.cells)
    return f"<h2>{escape(section.title)}</h2><p>{escape(section.note)}</p>\n<ol>\n{cells}\n</ol>"


def _cell(cell: Cell, veiled: bool) -> str:
    shown = readable(cell.name)
    name = escape(shown.rpartition("/")[2])
    picture = f'<img src="data:image/jpeg;base64,{base64.b64encode(cell.jpeg).decode()}" alt="{name}" loading="lazy">'
    link = f"file://{quote(cell.name.encode(errors='surrogateescape'))}" if cell.name.startswith("/") else None
    if veiled:
        picture = f'<label><input type="checkbox" aria-label="Show {name}">{picture}</label>'
    elif link:
        picture = f'<a href="{link}">{picture}</a>'
    lines = "".join(f"<small>{escape(line)}</small>" for line in cell.lines)
    kept = ' class="kept"' if cell.kept else ""
    return f'<li{kept}>{picture}<div><b title="{escape(shown)}">{name}</b>{lines}</div></li>'
