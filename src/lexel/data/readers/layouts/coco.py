"""COCO's captions as published (`annotations/captions_train2017.json`), and Karpathy's splits (`dataset_coco.json`)."""

import re
from pathlib import Path

from lexel.data.readers.layouts.parts import Layout

_CAPTIONS = re.compile(r"captions_([a-z]+)\d{4}\.json")
KARPATHY = ("dataset_coco.json", "dataset_flickr8k.json", "dataset_flickr30k.json")


def find_coco(root: Path) -> Layout | None:
    """Karpathy's file where it is there, because it has a test split with captions; else COCO's own."""
    captions = sorted(path for path in _children(root / "annotations") if _CAPTIONS.fullmatch(path.name))
    for folder in (root, root / "annotations", root / "karpathy"):
        found = [folder / name for name in KARPATHY if (folder / name).is_file()]
        if len(found) == 1:
            return Layout("Karpathy's splits", tuple(found), passed_over=tuple(captions))
    if not captions:
        return None
    splits = {path: named[1] for path in captions if (named := _CAPTIONS.fullmatch(path.name))}
    return Layout("COCO's captions", tuple(captions), splits)


def _children(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
