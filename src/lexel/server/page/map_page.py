"""The map of a library as one HTML file that needs nothing else: the page's own script and looks, written into it."""

import base64
import json
from html import escape
from importlib.resources import files
from pathlib import Path

from lexel.curation.map_files import DrawnMap
from lexel.files import write_atomically

STYLES = ("style.css", "styles/parts.css", "styles/map.css")
SCRIPT = "views/space_map.js"
PAGE_LAYOUT = "main { max-width: none; } .map { height: max(28rem, calc(100vh - 11rem)); }"
SHOW = """
const data = JSON.parse(document.getElementById("map-data").textContent);
const frame = document.querySelector(".map-frame"), state = document.getElementById("state");
const loaded = async address => { const image = new Image(); image.src = address; await image.decode(); return image; };
const say = message => { state.textContent = message; };
const open = index => {
  say(`${data.names[index]}, in ${data.groups[data.group[index]].names.join(", ")}`);
};
const map = spaceMap(frame, data, { sheets: data.images.map(loaded), say, open });
document.getElementById("side").append(groupList(map, data));
const [nearer, farther, all] = document.querySelectorAll(".map-buttons button");
nearer.onclick = () => map.zoom(1.5);
farther.onclick = () => map.zoom(1 / 1.5);
all.onclick = () => document.querySelector(".groups button").click();
for (const box of document.querySelectorAll(".tick input")) box.onchange = () => { map[box.name] = box.checked; };
const gap = gapInWords(data);
if (gap) document.getElementById("gap").textContent = gap;
"""


def write_map_page(path: Path, title: str, drawn: DrawnMap) -> None:
    """Write the page. Raises OSError."""
    web = files("lexel.server") / "web"
    style = "\n".join((web / name).read_text(encoding="utf-8") for name in STYLES)
    style = "\n".join(line for line in style.splitlines() if not line.startswith("@import"))
    script = (web / SCRIPT).read_text(encoding="utf-8")
    images = [f"data:image/jpeg;base64,{base64.b64encode(sheet).decode()}" for sheet in drawn.sheets]
    content = json.dumps(drawn.content | {"images": images}, ensure_ascii=False).replace("<", "\\u003c")
    ticks = (
        '<div class="ticks"><label class="tick"><input type="checkbox" name="photos" checked>pictures</label>'
        '<label class="tick"><input type="checkbox" name="texts" checked>captions</label></div>'
    )
    left_out = drawn.content["left_out"]
    more = f" {left_out:,} more are left out: this is a sample." if left_out else ""
    write_atomically(
        path,
        f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title><style>{style}{PAGE_LAYOUT}</style></head>
<body><main><h1>{escape(title)}</h1>
<p class="lead">{len(drawn.content["ids"]):,} pictures, each where its embedding puts it: what lies close together looks
alike to the model. Drag to move, scroll or pinch to come nearer.{more}</p>
<div class="map"><div class="map-side" id="side">{ticks if drawn.content["texts"] else ""}</div>
<div class="map-stage"><div class="map-frame"></div><div class="map-buttons">
<button type="button" aria-label="Come nearer">+</button><button type="button" aria-label="Go farther away">−</button>
<button type="button" aria-label="Show all">All</button></div></div></div>
<p class="note" id="state" role="status"></p>
<p class="note" id="gap"></p>
<p class="note">Distances between far parts of the map mean little. Groups are of alike pictures, and are named by words
that fit them better than the others.</p></main>
<script type="application/json" id="map-data">{content}</script>
<script type="module">{script}{SHOW}</script>
</body></html>
""",
    )
