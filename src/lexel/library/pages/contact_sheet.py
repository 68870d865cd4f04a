"""A contact sheet: what a search found as one self-contained HTML page."""

import base64
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from lexel.files import write_atomically
from lexel.library.search.query import Hit

STYLE = """
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
"""


def write_sheet(path: Path, hits: Sequence[Hit], thumbnail: Callable[[int], bytes], title: str) -> None:
    """Write the page. `thumbnail` gives a photo's JPEG by its number. Raises OSError."""
    cells = "\n".join(_cell(place, hit, thumbnail(hit.photo.id)) for place, hit in enumerate(hits, start=1))
    count = f"{len(hits):,} photo{'s' * (len(hits) != 1)}" if hits else "Nothing found"
    write_atomically(
        path,
        f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)}</title><style>{STYLE}</style></head>
<body><h1>{escape(title)}</h1><p>{count}</p>
<ol>
{cells}
</ol></body></html>
""",
    )


def _cell(place: int, hit: Hit, thumbnail: bytes) -> str:
    photo = hit.photo
    picture = base64.b64encode(thumbnail).decode()
    link = f"file://{quote(photo.path.encode(errors='surrogateescape'))}"
    strength = f' · <span class="{hit.strength}">{hit.strength}</span>' if hit.strength else ""
    facts = [photo.taken and photo.taken.replace("T", " "), f"{photo.width} × {photo.height}", photo.caption, hit.why]
    told = "".join(f"<small>{escape(str(fact).splitlines()[0])}</small>" for fact in facts if fact)
    name = escape(photo.shown.rpartition("/")[2])
    return (
        f'<li><a href="{link}"><img src="data:image/jpeg;base64,{picture}" alt="{name}" loading="lazy"></a>'
        f'<div><b title="{escape(photo.shown)}">{place}. {name}</b>{strength}{told}</div></li>'
    )
