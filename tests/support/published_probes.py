"""Small probes in the layouts of the published ones, of coloured pictures that a ColourEncoder can tell apart."""

import json
from pathlib import Path

import numpy as np
from colour_encoder import COLOURS
from PIL import Image


def stripes(path: Path, *colours: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    row = np.array([[COLOURS[name] for name in colours]], np.uint8)
    Image.fromarray(row.repeat(8, 0).repeat(8, 1)).save(path)


def winoground(folder: Path) -> Path:
    """Three twins: the second cannot be told apart by its colours."""
    rows = []
    asked = [("red", "blue", "Object"), ("red", "red", "Relation"), ("green", "yellow", "Relation")]
    for number, (one, other, tag) in enumerate(asked):
        for side, colour in enumerate((one, other)):
            stripes(folder / "images" / f"ex_{number}_img_{side}.png", colour)
        images = {f"image_{side}": f"ex_{number}_img_{side}" for side in (0, 1)}
        captions = {"caption_0": f"something {one}", "caption_1": f"something {other}!"}
        rows.append({"id": number, "collapsed_tag": tag, **images, **captions})
    (folder / "examples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def sugarcrepe(folder: Path) -> Path:
    """Two kinds: swap_att is always told apart, add_obj in one case of two."""
    for colour in ("red", "blue"):
        stripes(folder / "val2017" / f"{colour}.png", colour)
    (folder / "swap_att.json").write_text(
        json.dumps(
            {
                "0": {"filename": "red.png", "caption": "a red thing", "negative_caption": "a blue thing"},
                "1": {"filename": "blue.png", "caption": "a blue thing", "negative_caption": "a red thing"},
            }
        )
    )
    (folder / "add_obj.json").write_text(
        json.dumps(
            {
                "0": {"filename": "red.png", "caption": "red", "negative_caption": "red and green"},
                "1": {"filename": "red.png", "caption": "red and green", "negative_caption": "red"},
            }
        )
    )
    return folder


def aro(folder: Path) -> Path:
    """A relation on the left half of a picture, an attribution on the whole, and captions in another order."""
    stripes(folder / "images" / "two.jpg", "red", "blue")
    half = {"bbox_x": 0, "bbox_y": 0, "bbox_w": 8, "bbox_h": 8}
    relation = {"image_path": "two.jpg", "true_caption": "red", "false_caption": "blue", **half}
    (folder / "visual_genome_relation.json").write_text(
        json.dumps([relation | {"relation_name": "on"}, relation | {"relation_name": "under"}])
    )
    attribution = {"image_path": "two.jpg", "true_caption": "red and blue", "false_caption": "red and green"}
    (folder / "visual_genome_attribution.json").write_text(json.dumps([attribution | {"attributes": ["red", "blue"]}]))
    (folder / "coco_order.json").write_text(
        json.dumps([{"image": "two.jpg", "caption_options": ["red blue", "blue red", "green red", "yellow"]}])
    )
    return folder


def clevr(folder: Path, split: str = "val") -> Path:
    scenes = []
    for number, count in enumerate((3, 4, 4, 10)):
        name = f"CLEVR_{split}_{number:06d}.png"
        stripes(folder / "images" / split / name, *["red", "blue", "green", "yellow"][: count % 4 + 1])
        scenes.append({"image_filename": name, "split": split, "objects": [{"color": "red"}] * count})
    (folder / "scenes").mkdir(exist_ok=True)
    (folder / "scenes" / f"CLEVR_{split}_scenes.json").write_text(json.dumps({"info": {}, "scenes": scenes}))
    return folder
