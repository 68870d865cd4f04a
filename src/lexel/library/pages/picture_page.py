"""A self-contained HTML page of pictures in sections: what a search found, groups, duplicates, or a review."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from lexel.calibration import Strength
from lexel.files import write_atomically
from lexel.library.store.database.paths import readable
from lexel.library.store.records import Photo

PAGE_STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1c1c1e; --soft: #6b6b70; --line: #e2e2e6; --good: #1a7f37; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #161618; --ink: #ececee; --soft: #a0a0a6; --line: #333338; --good: #4cc26a; }
}
body { margin: 2rem; background: var(--ground); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.35rem; margin: 0 0 .2rem; }
p { margin: 0 0 1.2rem; color: var(--soft); }
ol { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); gap: 1rem; margin: 0; padding: 0; }
li { list-style: none; border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
img { display: block; width: 100%; height: 190px; object-fit: contain; background: var(--line); }
div { padding: .5rem .65rem .65rem; overflow-wrap: anywhere; }
b { font-weight: 600; }
.strong { color: var(--good); }
small { display: block; color: var(--soft); }
h2 { font-size: 1.1rem; margin: 2rem 0 .1rem; }
h2 + p { margin-bottom: .7rem; }
li.kept { border-color: var(--good); }
li.kept b { color: var(--good); }
label { display: block; cursor: pointer; overflow: hidden; }
label input { position: absolute; opacity: 0; }
label img { filter: blur(22px) grayscale(1); }
label input:checked + img { filter: none; }
li:has(input:focus-visible) { outline: 3px solid var(--good); }
button { font: inherit; font-size: .85em; padding: .15rem .55rem; border: 1px solid var(--line); border-radius: 6px;
  background: none; color: inherit; cursor: pointer; }
button:focus-visible { outline: 2px solid var(--good); }
button[aria-pressed="true"] { background: var(--good); border-color: var(--good); color: var(--ground); }
.marks { display: flex; flex-wrap: wrap; gap: .3rem; padding: .4rem 0 0; }
.save { position: sticky; top: 0; margin: 0; padding: .5rem 0; background: var(--ground); z-index: 1; }
.absent img { opacity: .35; }
"""
# Marks are kept by the page alone until they are downloaded, so it asks before it is closed with any that were not.
PAGE_SCRIPT = r"""
const buttons = [...document.querySelectorAll(".marks button")], save = document.querySelector(".save button");
let unsaved = false;
const pressed = button => button.getAttribute("aria-pressed") === "true";
function press(button) {
  for (const one of button.parentElement.children)
    one.setAttribute("aria-pressed", one === button && !pressed(one));
  unsaved = true;
  const count = buttons.filter(pressed).length;
  save.textContent = `Download ${count} decision${count === 1 ? "" : "s"} as CSV`;
}
function download() {
  const quoted = text => `"${text.replaceAll('"', '""')}"`;
  const rows = buttons.filter(pressed).map(one => `${quoted(one.parentElement.dataset.path)},${quoted(one.value)}`);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([["path,decision", ...rows, ""].join("\r\n")], { type: "text/csv" }));
  link.download = "decisions.csv";
  link.click();
  unsaved = false;
}
for (const button of buttons) button.onclick = () => press(button);
save.onclick = download;
addEventListener("keydown", event => {
  if (event.key === "Enter" && event.target.type === "checkbox") event.target.click();
});
addEventListener("beforeunload", event => { if (unsaved) event.preventDefault(); });
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """One picture on the page."""

    jpeg: bytes
    name: str  # of the picture; its file is linked where this is an absolute path
    lines: tuple[str, ...] = ()
    heading: str | None = None  # shown in place of the file's name
    strength: Strength | None = None  # shown beside it
    is_kept: bool = False  # drawn as the one that stays
    is_there: bool = True  # False: the file is not on the disk now


@dataclass(frozen=True, slots=True)
class PictureSection:
    """Pictures that belong together."""

    title: str  # may be empty, as the note
    note: str
    cells: Sequence[Cell]
    marks: tuple[str, ...] = ()  # that people can put on each of them, one at a time


def photo_cell(photo: Photo, jpeg: bytes, *lines: str, kept: bool = False) -> Cell:
    """The cell of a library's photo."""
    return Cell(
        jpeg, photo.path, (f"{photo.width} × {photo.height}, {photo.size / 1000:,.0f} kB", *lines), is_kept=kept
    )


def write_page(
    path: Path, title: str, summary: str, sections: Sequence[PictureSection], *, veiled: bool = False
) -> None:
    """Write the page; `veiled` pictures are blurred until they are clicked. Raises OSError.

    It holds a script only where a section has marks, which it gives as a CSV of paths and decisions.
    """
    has_marks = any(section.marks for section in sections)
    save = '<p class="save"><button type="button">Download 0 decisions as CSV</button></p>\n' if has_marks else ""
    script = f"\n<script>{PAGE_SCRIPT}</script>" if has_marks else ""
    body = "\n".join(_section(section, veiled) for section in sections)
    write_atomically(
        path,
        f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)}</title><style>{PAGE_STYLE}</style></head>
<body><h1>{escape(title)}</h1><p>{escape(summary)}</p>
{save}{body}{script}
</body></html>
""",
    )


def _section(section: PictureSection, veiled: bool) -> str:
    cells = "\n".join(_cell(cell, section.marks, veiled) for cell in section.cells)
    head = f"<h2>{escape(section.title)}</h2><p>{escape(section.note)}</p>\n" if section.title else ""
    return f"{head}<ol>\n{cells}\n</ol>"


def _cell(cell: Cell, marks: Sequence[str], veiled: bool) -> str:
    shown = readable(cell.name)
    name = escape(shown.rpartition("/")[2])
    picture = f'<img src="data:image/jpeg;base64,{base64.b64encode(cell.jpeg).decode()}" alt="{name}" loading="lazy">'
    is_linked = cell.name.startswith("/") and cell.is_there
    if veiled:
        picture = f'<label><input type="checkbox" aria-label="Show {name}">{picture}</label>'
    elif is_linked:
        link = f"file://{quote(cell.name.encode(errors='surrogateescape'))}"
        picture = f'<a href="{link}">{picture}</a>'
    heading = name if cell.heading is None else escape(cell.heading)
    strength = f' · <span class="{cell.strength}">{cell.strength}</span>' if cell.strength else ""
    notes = cell.lines if cell.is_there else (*cell.lines, "not on the disk now")
    lines = "".join(f"<small>{escape(line)}</small>" for line in notes)
    kinds = [kind for kind, holds in (("kept", cell.is_kept), ("absent", not cell.is_there)) if holds]
    of_kind = f' class="{" ".join(kinds)}"' if kinds else ""
    buttons = "".join(
        f'<button type="button" aria-pressed="false" value="{escape(mark)}">{escape(mark)}</button>' for mark in marks
    )
    if buttons:
        lines += f'<div class="marks" data-path="{escape(shown)}">{buttons}</div>'
    return f'<li{of_kind}>{picture}<div><b title="{escape(shown)}">{heading}</b>{strength}{lines}</div></li>'
