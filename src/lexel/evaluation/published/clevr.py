"""Counting on CLEVR (Johnson et al. 2017), as VTAB's `count_all`: how many objects a scene holds, from 3 to 10.

As published: `CLEVR_v1.0/scenes/CLEVR_val_scenes.json`, whose `scenes` have `image_filename` and `objects`, and the
pictures in `CLEVR_v1.0/images/val/`.
"""

from pathlib import Path
from typing import Any

from lexel.data.pairs import ImageFile, Pair
from lexel.errors import DataError, UsageError
from lexel.evaluation.published.annotations import PictureFolder, read_json
from lexel.evaluation.published.probe_source import ProbeSource

SPLITS = ("val", "train")  # the test scenes were published without their objects
ADVICE = "They are CLEVR's own, in its folder images."


def read_clevr(path: Path, images: Path | None, name: str) -> ProbeSource:
    """The scenes of a split, labelled with the number of their objects; `val` where the path names none."""
    folder, split = (path.parent, path.name) if path.name in SPLITS and not path.exists() else (path, SPLITS[0])
    file = folder if folder.is_file() else folder / "scenes" / f"CLEVR_{split}_scenes.json"
    if not file.is_file():
        raise UsageError(f"There is no {file}. Give the folder CLEVR_v1.0, or a file of its folder scenes.")
    scenes = _scenes(file)
    split = str(scenes[0].get("split", split))
    root = file.parent.parent
    pictures = PictureFolder([images] if images else [root / "images" / split, root / "images", file.parent], ADVICE)
    pairs = []
    for number, scene in enumerate(scenes):
        named, objects = scene.get("image_filename"), scene.get("objects")
        if not isinstance(named, str) or not isinstance(objects, list):
            raise DataError(f"{file}, scene {number + 1} has no image_filename, or no list of objects.")
        pairs.append(Pair(named, ImageFile(pictures.find(named)), label=str(len(objects))))
    pictures.check(name)
    notes = (f"{len(pairs):,} scenes from {file.name}; each label is how many objects there are",)
    return ProbeSource(name, pairs, notes, split=split, splits=SPLITS, templates="counts")


def _scenes(file: Path) -> list[dict[str, Any]]:
    value = read_json(file)
    scenes = value.get("scenes") if isinstance(value, dict) else None
    if not isinstance(scenes, list) or not scenes or not all(isinstance(scene, dict) for scene in scenes):
        raise DataError(f'{file} is no file of CLEVR\'s scenes: it has no list "scenes".')
    return scenes
